import { z } from 'zod'
import { HttpMethod } from '../../model/http-method.ts'
import { Ref } from '../../model/slug.ts'
import { UpstreamUrl } from '../../model/upstream.ts'
import { UpstreamTlsSpec } from '../../model/upstream-tls.ts'
import { ANSWER } from '../answer.ts'
import { ASKING, type NodeType } from '../node-type.ts'

/** Bytes of a response that a node may hold. */
const BODY_BYTES_MAX = 32 * 1024 * 1024

/** Trust is never switched off here: there is no warning that says so in a workflow. */
const Tls = UpstreamTlsSpec.omit({ verify: true })

const Config = z
  .strictObject({
    method: HttpMethod.default('GET'),
    url: z
      .string()
      .refine((text) => !text.includes('{{'), 'is fixed, without expressions; use the inputs path and query')
      .pipe(UpstreamUrl)
      .describe('Server, with a path that stands before the input path. No expressions and no query'),
    credential: Ref.nullable().default(null).describe('Sent to the server'),
    tls: Tls.nullable().default(null).describe('For https; null: system certificates'),
    max_body: z
      .int()
      .min(0)
      .max(BODY_BYTES_MAX)
      .default(1024 ** 2)
      .describe('Largest body of a response in bytes; a larger one is a failure'),
  })
  .refine(({ url, tls }) => tls === null || url.startsWith('https:'), {
    path: ['tls'],
    message: 'is for an https URL',
  })

export const httpRequestNode: NodeType = {
  name: 'http_request_node',
  phase: 'call',
  summary: 'Request to any HTTP server. Nothing of the caller is sent but what the inputs say',
  config: Config,
  inputs: { 'path?': 'string', 'query?': 'object', 'headers?': 'object', 'body?': 'any' },
  outputs: ANSWER,
  handles: ASKING,
  faults({ config: { credential } }, known) {
    const isExchanged =
      typeof credential === 'string' && known.credentialType(credential) === 'token_exchange'
    // It would send what is made of the token of the caller
    return isExchanged
      ? [
          {
            code: 'bad_config',
            path: ['config', 'credential'],
            message:
              'a credential of type token_exchange is for the upstream of the collection; give another one',
          },
        ]
      : []
  },
  destination(config) {
    const { success, data } = Config.safeParse(config)
    return success ? { member: 'url', url: data.url, credential: data.credential, tls: data.tls } : null
  },
}
