import { z } from 'zod'
import { Duration } from '../../model/time.ts'
import { Credential, type NodeType, ONWARD, Text } from '../node-type.ts'

export const imapTrigger: NodeType = {
  name: 'imap_trigger',
  phase: 'trigger',
  summary: 'Mail that arrives',
  config: z.strictObject({
    credential: Credential,
    mailbox: Text.default('INBOX').describe('The exact folder'),
    poll: Duration.default('1m'),
  }),
  inputs: {},
  outputs: { message: 'from, to, subject, text, html, attachments' },
  handles: ONWARD,
}
