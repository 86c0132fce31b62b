/**
 * The client beside {@link ECHO}, with the options of ours that concern the transport.
 */
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { downloadRequest, ECHO } from "./echo-method.js";

/** As in src/grpc/channel.ts. */
const FLOW_CONTROL_WINDOW_BYTES = 1024 * 1024;

export class EchoClient {
  readonly #client: Client;

  constructor(target: string) {
    this.#client = new Client(target, credentials.createInsecure(), {
      "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  download(messages: number, bytes: number): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.Download;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        downloadRequest(messages, bytes),
      );
      call.on("data", () => {});
      call.on("end", resolve);
      call.on("error", reject);
    });
  }

  upload(messages: number, bytes: number): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.Upload;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        (error) => (error === null ? resolve() : reject(error)),
      );
      const message = Buffer.alloc(bytes);
      let left = messages;
      const send = (): void => {
        while (left > 0) {
          left--;
          if (!call.write(message)) {
            call.once("drain", send);
            return;
          }
        }
        call.end();
      };
      send();
    });
  }

  ask(bytes: number): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ECHO.Unary;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        Buffer.alloc(bytes),
        new Metadata(),
        {},
        (error) => (error === null ? resolve() : reject(error)),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
