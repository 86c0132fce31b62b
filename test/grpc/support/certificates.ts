/**
 * Authorities and the certificates they give, made anew for each test file.
 */
import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";

const DAY_MS = 86_400_000;
/** Kinds of alternative names. */
const DNS = 2;
const IP = 7;

/** In PEM, as servers and clients are given them. */
export interface Certified {
  readonly certificate: Buffer;
  readonly key: Buffer;
}

let serialNumber = 1;

export class Authority {
  readonly certificate: Buffer;
  readonly #subject: forge.pki.CertificateField[];
  readonly #key: forge.pki.rsa.PrivateKey;

  constructor(name: string) {
    this.#subject = [{ name: "commonName", value: name }];
    const pair = newKeys();
    this.#key = pair.forgeKey;
    this.certificate = this.#sign(pair, this.#subject, [{ name: "basicConstraints", cA: true }]);
  }

  /** A certificate for this machine's loopback names, or for a client. */
  certify(name: string): Certified {
    const pair = newKeys();
    const names = [
      { type: DNS, value: "localhost" },
      { type: IP, ip: "127.0.0.1" },
    ];
    const subject = [{ name: "commonName", value: name }];
    return {
      certificate: this.#sign(pair, subject, [{ name: "subjectAltName", altNames: names }]),
      key: Buffer.from(pair.key),
    };
  }

  #sign(
    pair: ReturnType<typeof newKeys>,
    subject: forge.pki.CertificateField[],
    extensions: object[],
  ): Buffer {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = pair.forgePublicKey;
    certificate.serialNumber = String(serialNumber++).padStart(2, "0");
    certificate.validity.notBefore = new Date(Date.now() - DAY_MS);
    certificate.validity.notAfter = new Date(Date.now() + DAY_MS);
    certificate.setSubject(subject);
    certificate.setIssuer(this.#subject);
    certificate.setExtensions(extensions);
    certificate.sign(this.#key, forge.md.sha256.create());
    return Buffer.from(forge.pki.certificateToPem(certificate));
  }
}

/** By Node: much faster than in JavaScript. */
function newKeys() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  return {
    key: privateKey,
    forgeKey: forge.pki.privateKeyFromPem(privateKey),
    forgePublicKey: forge.pki.publicKeyFromPem(publicKey),
  };
}
