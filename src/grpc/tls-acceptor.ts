/**
 * TLS in front of the sockets of a listener.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { messageOf, StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";

/** Certificates and keys, in PEM. */
export interface TlsIdentity {
  /** With those of the authorities in between, its own first. */
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Clients must show a certificate of one of these authorities. */
  readonly clientAuthority?: Buffer | undefined;
}

/** A client that says nothing is not waited for. */
const HANDSHAKE_MS = 10_000;

export class TlsAcceptor {
  readonly #server: Server;

  /**
   * @param onSecure called with each connection once its client has shown what it must.
   * @param protocols what is spoken inside, by its ALPN names.
   * @throws {StoreError} `invalid-argument` when the certificate or key is none, or they do not belong together.
   */
  constructor(
    identity: TlsIdentity,
    log: Logger,
    onSecure: (socket: TLSSocket) => void,
    protocols: readonly string[] = ["h2"],
  ) {
    this.#server = checked(() =>
      createServer(
        {
          ...contextOf(identity),
          ALPNProtocols: [...protocols],
          minVersion: "TLSv1.2",
          handshakeTimeout: HANDSHAKE_MS,
          requestCert: identity.clientAuthority !== undefined,
          rejectUnauthorized: true,
        },
        onSecure,
      ),
    );
    this.#server.on("tlsClientError", (error, socket) => {
      log.debug({ peer: socket.remoteAddress, error: messageOf(error) }, "TLS handshake failed");
      socket.destroy();
    });
  }

  /** Takes over a connection that was just made. */
  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
  }

  /** Connections that are made from now on see this identity. @throws {StoreError} as the constructor. */
  renew(identity: TlsIdentity): void {
    checked(() => this.#server.setSecureContext(contextOf(identity)));
  }
}

function contextOf({ certificate, key, clientAuthority }: TlsIdentity) {
  return { cert: certificate, key, ...(clientAuthority && { ca: clientAuthority }) };
}

function checked<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw new StoreError(
      "invalid-argument",
      `Cannot use the TLS certificate and key: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}
