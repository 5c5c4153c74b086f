import { z } from 'zod'
import { HttpMethod, Ref } from '../../model/members.ts'
import { exchangedCredential, fixedUrl, MaxBody, ServerTls } from '../http-server.ts'
import { ANSWER, ASKING, type NodeType } from '../node-type.ts'

const Config = z
  .strictObject({
    method: HttpMethod.default('GET'),
    url: fixedUrl('; use the inputs path and query').describe(
      'URL of the server. Its path precedes the input path. Without expressions and query',
    ),
    credential: Ref.nullable().default(null).describe('Sent to the server'),
    tls: ServerTls,
    max_body: MaxBody,
  })
  .refine(({ url, tls }) => tls === null || url.startsWith('https:'), {
    path: ['tls'],
    message: 'is for an https URL',
  })

export const httpRequestNode: NodeType = {
  name: 'http_request_node',
  phase: 'call',
  summary: 'Request to any HTTP server. It gets only the inputs, and nothing else of the call',
  config: Config,
  inputs: { 'path?': 'string', 'query?': 'object', 'headers?': 'object', 'body?': 'any' },
  outputs: ANSWER,
  handles: ASKING,
  faults: exchangedCredential,
  destination(config) {
    const { success, data } = Config.safeParse(config)
    return success ? { member: 'url', url: data.url, credential: data.credential, tls: data.tls } : null
  },
}
