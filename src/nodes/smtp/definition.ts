import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'
import { addressMembers, destinationBy, LoginRef } from '../service-address.ts'
import { isAddress } from './run.ts'

const Config = z.strictObject({
  ...addressMembers(587),
  starttls: z
    .boolean()
    .default(true)
    .describe(
      'With tls: true starts TLS with STARTTLS, as on port 587; false starts TLS immediately, as on port 465',
    ),
  credential: LoginRef.nullable().default(null),
  from: z.string().refine(isAddress, 'an e-mail address such as shop@example.com').describe('Sender'),
  from_name: z
    .string()
    .max(128)
    .regex(/^[^\p{Cc}]*$/u, 'without control characters')
    .default('')
    .describe('Name of the sender'),
})

export const smtpNode: NodeType = {
  name: 'smtp_node',
  phase: 'send',
  summary: 'Sends an e-mail over SMTP',
  config: Config,
  inputs: {
    to: 'string or list: e-mail addresses; to, cc and bcc have at most 50',
    'cc?': 'string or list: e-mail addresses',
    'bcc?': 'string or list: e-mail addresses, which no recipient sees',
    'reply_to?': 'string: e-mail address',
    subject: 'string without line breaks, at most 500 characters',
    'text?': 'string: body as plain text',
    'html?': 'string: body as HTML. One of both is required',
  },
  outputs: { id: 'string: Message-ID' },
  handles: ONWARD,
  credentials: ['basic'],
  destination: destinationBy(Config),
}
