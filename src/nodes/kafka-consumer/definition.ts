import { z } from 'zod'
import { Credential, type NodeType, ONWARD, Text } from '../node-type.ts'

export const kafkaConsumer: NodeType = {
  name: 'kafka_consumer',
  phase: 'trigger',
  summary: 'Messages of a topic; acknowledged after success',
  config: z.strictObject({
    credential: Credential,
    topic: Text,
    group: Text,
    batch: z.int().min(1).max(1000).default(1),
  }),
  inputs: {},
  outputs: { messages: 'list of key, value, headers' },
  handles: ONWARD,
}
