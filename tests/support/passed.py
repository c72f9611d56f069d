"""Who calls through a local gateway, for tests that play the gateway: it passes a descriptor, the daemon asks the kernel.

    alice = Caller(2001)                    # connects as that uid to a socket of ours; of this process
    alice.tell(gateway, PEER_FRAME)         # PEER_FRAME's bytes with the descriptor, on the gateway's socket
    alice.client.close()                    # alice hangs up

It lives as long as the daemon shall take it for somebody.
"""
import os
import socket
import tempfile


class Caller:
    def __init__(self, uid):
        with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            listener.bind(f"{folder}/s")
            os.chmod(f"{folder}/s", 0o666)
            listener.listen(1)
            self.client = socket.socket(socket.AF_UNIX)
            os.seteuid(uid)
            try:
                self.client.connect(f"{folder}/s")
            finally:
                os.seteuid(0)
            self.end, _ = listener.accept()

    def tell(self, gateway, frame, descriptors=1):
        socket.send_fds(gateway, [frame], descriptors * [self.end.fileno()])
