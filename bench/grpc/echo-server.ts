/**
 * A server that does nothing but what grpc-js does: `node echo-server.js unix:/path`. It tells its port on stdout.
 */
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
} from "@grpc/grpc-js";
import { ECHO } from "./echo-method.js";

const download: handleServerStreamingCall<Buffer, Buffer> = (call) => {
  let left = call.request.readUInt32LE(0);
  const message = Buffer.alloc(call.request.readUInt32LE(4));
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
};

const upload: handleClientStreamingCall<Buffer, Buffer> = (call, answer) => {
  call.on("data", () => {});
  call.on("end", () => answer(null, Buffer.alloc(0)));
};

const unary: handleUnaryCall<Buffer, Buffer> = (call, answer) => answer(null, call.request);

const server = new Server({ "grpc.max_receive_message_length": -1 });
server.addService(ECHO, { Download: download, Upload: upload, Unary: unary });
const [, , socket = ""] = process.argv;
const bind = (address: string): Promise<number> =>
  new Promise((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
await bind(socket);
console.log(`listening on 127.0.0.1:${await bind("127.0.0.1:0")}`);
