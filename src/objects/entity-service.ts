/** The entities behind the HTTP surface: finds the object of one and talks to it. */
import { entityAddress } from "../core/entity.ts";
import { encode } from "../core/payload.ts";
import type { EntityService, OperationRequest } from "../http/entity-service.ts";
import type { FindEntity } from "./instance-service.ts";
import { read, write } from "./object-call.ts";
import { pack } from "./packed-text.ts";

export function createEntityService(find: FindEntity): EntityService {
  const objectOf = ({ name, key }: Pick<OperationRequest, "name" | "key">) =>
    find(entityAddress(name, key));
  const packed = (request: OperationRequest) => {
    const { name, operation } = request;
    return {
      ...request,
      input: pack(encode(request.input, `the input of "${name}.${operation}"`)),
    };
  };
  return {
    state: (name, key) => read(() => objectOf({ name, key }).state(name, key)),
    call: async (request) => {
      const command = packed(request);
      return write(() => objectOf(request).call(command));
    },
    signal: async (request) => {
      const command = packed(request);
      return write(() => objectOf(request).signal(command));
    },
  };
}
