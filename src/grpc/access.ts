/**
 * Which calls are let in, decided before any message of them is read.
 */
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { traceOf } from "./call-handlers.js";
import type { CallRecord } from "./call-record.js";
import { FAMILIES, serviceNames } from "./definitions.js";
import { refuse } from "./refuse.js";
import type { CallStatus } from "./status.js";
import type { Caller, Right, TokenTable } from "./token-table.js";

/** What only reads. Whatever else there is takes the right to write. */
const READING = new Set(["Stat", "Read", "Get", "List", "CalculateNAR"]);
const SERVICES: ReadonlySet<string> = new Set(FAMILIES.flatMap(serviceNames));

export interface AccessOptions {
  /** Nobody may write. */
  readonly readOnly: boolean;
  /** Who may call; everybody who can connect unless told. */
  readonly tokens?: TokenTable | undefined;
  /** Told of a call that was not let in. */
  readonly onDenied?: ((record: CallRecord) => void) | undefined;
}

/** Health and reflection are open to everybody: they tell nothing of what is stored. */
export class Access {
  readonly #options: AccessOptions;
  #tokens: TokenTable | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#tokens = options.tokens;
  }

  /** Calls that begin from now on need one of these tokens. */
  set tokens(tokens: TokenTable) {
    this.#tokens = tokens;
  }

  /** Whose token a call carries. */
  callerOf(metadata: Metadata): Caller | undefined {
    if (this.#tokens === undefined) return undefined;
    const given = metadata.get("authorization");
    const token = given.length === 1 ? /^Bearer +(\S+)$/i.exec(String(given[0]))?.[1] : undefined;
    return token === undefined ? undefined : this.#tokens.find(token);
  }

  /** Why a call of `path` is refused, if it is. */
  denial(path: string, metadata: Metadata): CallStatus | undefined {
    const needed = rightFor(path);
    if (needed === undefined) return undefined;
    const caller = this.callerOf(metadata);
    if (this.#tokens !== undefined && caller === undefined) {
      const details = metadata.get("authorization").length === 0 ? "needs" : "does not have";
      return {
        code: status.UNAUTHENTICATED,
        details: `The call ${details} a token that is known here (authorization: Bearer TOKEN)`,
      };
    }
    if (needed === "read") return undefined;
    if (this.#options.readOnly) {
      return { code: status.PERMISSION_DENIED, details: "This server is for reading only" };
    }
    if (caller === undefined || caller.right === "write") return undefined;
    const details = `The token of ${JSON.stringify(caller.name)} is for reading only`;
    return { code: status.PERMISSION_DENIED, details };
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const denial = this.denial(path, metadata);
            if (denial === undefined) {
              proceed(metadata);
              return;
            }
            refuse(call, denial);
            this.#options.onDenied?.({
              method: path,
              peer: call.getPeer(),
              caller: this.callerOf(metadata)?.name,
              trace: traceOf(metadata),
              code: denial.code,
              durationMs: 0,
              receivedBytes: 0,
              sentBytes: 0,
            });
          },
        }),
    });
}

/** What a call of `/service/method` takes; `undefined` when anyone may make it. */
function rightFor(path: string): Right | undefined {
  const [, service = "", method = ""] = path.split("/");
  if (!SERVICES.has(service)) return undefined;
  return READING.has(method) ? "read" : "write";
}
