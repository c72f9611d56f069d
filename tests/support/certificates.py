"""Certificates for Python tests, with lives of seconds.

    ca = Authority("the old CA")            # ca.pem: its certificate
    pem, key = ca.issue("localhost", seconds=10)
    fingerprint(pem)                        # SHA-256 of its DER, hexadecimal
"""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = 86400


def _builder(subject, issuer, key, seconds):
    now = datetime.datetime.utcnow()
    name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (subject, issuer)]
    return (x509.CertificateBuilder().subject_name(name[0]).issuer_name(name[1]).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(seconds=seconds)))


def _pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Authority:
    def __init__(self, name, seconds=DAY):
        self.name, self.key = name, ec.generate_private_key(ec.SECP256R1())
        certificate = (_builder(name, name, self.key, seconds)
                       .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                       .sign(self.key, hashes.SHA256()))
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, subject, seconds=DAY):
        """Certificate and key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (_builder(subject, self.name, key, seconds).add_extension(names, critical=False)
                       .sign(self.key, hashes.SHA256()))
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def fingerprint(pem):
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
