import { NONE, type NodeType, ONWARD } from '../node-type.ts'

const REQUEST = {
  method: 'string',
  path: 'string',
  path_params: 'object',
  query: 'object',
  headers: 'object',
  body: 'any',
  client: 'string',
  profile: 'string',
  subject: 'string',
  claims: 'object',
  ip: 'string',
  id: 'string',
}

export const httpTrigger: NodeType = {
  name: 'http_trigger',
  phase: 'trigger',
  summary: 'Starts the run with a call of the proxy',
  config: NONE,
  inputs: {},
  outputs: { request: `object: ${Object.keys(REQUEST).join(', ')}` },
  members: { request: REQUEST },
  handles: ONWARD,
}
