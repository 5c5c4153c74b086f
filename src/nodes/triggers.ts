import { z } from 'zod'
import { Duration } from '../model/common.ts'
import { Credential, NONE, type NodeType, ONWARD, Text } from './define.ts'

const CRON_FIELD = String.raw`(?:\*|[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)(?:/[0-9]+)?`

export const TRIGGERS: readonly NodeType[] = [
  {
    name: 'http_trigger',
    phase: 'trigger',
    summary: 'A call of the proxy',
    config: NONE,
    inputs: {},
    outputs: { request: 'method, path, path_params, query, headers, body, client, profile, claims, ip, id' },
    handles: ONWARD,
  },
  {
    name: 'manual_trigger',
    phase: 'trigger',
    summary: 'Started by hand, with a sample',
    config: z.strictObject({ sample: z.json().optional() }),
    inputs: {},
    outputs: { triggered_at: 'time', trigger: 'the sample' },
    handles: ONWARD,
  },
  {
    name: 'schedule_trigger',
    phase: 'trigger',
    summary: 'At times of a calendar',
    config: z.strictObject({
      cron: z
        .string()
        .regex(
          new RegExp(`^${CRON_FIELD}(?: ${CRON_FIELD}){4}$`),
          'five fields: minute hour day month weekday',
        )
        .describe('Such as 0 6 * * 1-5'),
      timezone: Text.default('UTC'),
    }),
    inputs: {},
    outputs: { fired_at: 'time' },
    handles: ONWARD,
  },
  {
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
  },
  {
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
  },
]
