import { z } from 'zod'
import { HttpMethod } from '../../model/members.ts'
import { ANSWER, ASKING, type NodeType } from '../node-type.ts'

export const proxyNode: NodeType = {
  name: 'proxy_node',
  phase: 'call',
  summary: "Call of the collection's upstream",
  config: z.strictObject({ method: HttpMethod.optional().describe('Default: as received') }),
  inputs: {
    'path?': 'string',
    'query?': 'object',
    'headers?': 'object',
    'body?': 'any; default: as received',
  },
  outputs: ANSWER,
  handles: ASKING,
}
