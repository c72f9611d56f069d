// A peer: npm's oidc-provider, everything in memory, one confidential client that gets JWT access tokens signed ES256.
//
//   node oidc-provider.js PORT < the client's secret        prints a line when it listens, and serves until it is killed
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
        client_id: "svc",
        client_secret: readFileSync(0, "utf8").trim(),
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: "ES256",
        token_endpoint_auth_method: "client_secret_post",
    }],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] },
    features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
            enabled: true,
            defaultResource: () => "urn:demo",
            getResourceServerInfo: () => ({
                audience: "demo",
                scope: "read write",
                accessTokenFormat: "jwt",
                accessTokenTTL: 300,
                jwt: { sign: { alg: "ES256" } },
            }),
        },
    },
});
provider.listen(port, "127.0.0.1", () => console.log("serving"));
