import { NONE, type NodeType, ONWARD } from '../node-type.ts'

export const httpTrigger: NodeType = {
  name: 'http_trigger',
  phase: 'trigger',
  summary: 'A call of the proxy',
  config: NONE,
  inputs: {},
  outputs: { request: 'method, path, path_params, query, headers, body, client, profile, claims, ip, id' },
  handles: ONWARD,
}
