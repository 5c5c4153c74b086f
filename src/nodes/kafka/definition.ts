import { z } from 'zod'
import { ASKING, Credential, type NodeType, Text } from '../node-type.ts'

export const kafkaNode: NodeType = {
  name: 'kafka_node',
  phase: 'send',
  summary: 'A message to a topic',
  config: z.strictObject({ credential: Credential, topic: Text }),
  inputs: { 'key?': 'string', value: 'any', 'headers?': 'object' },
  outputs: { id: 'string' },
  handles: ASKING,
}
