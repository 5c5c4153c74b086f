import { z } from 'zod'
import { ASKING, Credential, type NodeType, Text } from './node-type.ts'

/** A node that sends mail. */
export function mailNode(name: string, summary: string): NodeType {
  return {
    name,
    phase: 'send',
    summary,
    config: z.strictObject({ credential: Credential, from: Text }),
    inputs: { to: 'string or list', subject: 'string', body: 'string' },
    outputs: { id: 'string' },
    handles: ASKING,
  }
}
