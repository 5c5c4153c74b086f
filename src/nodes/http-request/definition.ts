import { z } from 'zod'
import { HttpMethod } from '../../model/http-method.ts'
import { ANSWER } from '../answer.ts'
import { ASKING, Credential, HostName, type NodeType } from '../node-type.ts'

export const httpRequestNode: NodeType = {
  name: 'http_request_node',
  phase: 'call',
  summary: 'Call of another server',
  config: z.strictObject({
    method: HttpMethod.default('GET'),
    hosts: z.array(HostName).min(1).max(50).describe('Hosts that may be called, and no others'),
    credential: Credential.nullable().default(null),
    verify_tls: z.boolean().default(true),
    max_body: z
      .int()
      .min(0)
      .max(32 * 1024 ** 2)
      .default(1024 ** 2),
  }),
  inputs: { url: 'string', 'query?': 'object', 'headers?': 'object', 'body?': 'any' },
  outputs: ANSWER,
  handles: ASKING,
}
