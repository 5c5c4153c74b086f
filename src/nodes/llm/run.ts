import type { Plain } from '../../base/json/plain.ts'
import { parseStrictJson } from '../../base/json/scan.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createSchemaJudges, type Judge } from '../../snapshot/schema/judge.ts'
import { NodeFailure, type NodeRun } from '../run.ts'
import { type Completion, readCompletion, statusFailure } from './completion.ts'
import { readMessages } from './messages.ts'

/** What the definition has parsed, with its defaults. */
interface Config {
  readonly model: string
  readonly max_tokens: number
  readonly max_tokens_name: string
  readonly temperature: number | null
  readonly schema: JsonSchema | null
  readonly strict: boolean
  readonly max_body: number
}

/** Levels of lists and objects in an answer. */
const DEPTH_MAX = 128
/** How the server knows the schema. */
const SCHEMA_NAME = 'answer'

export const llmRun: NodeRun = {
  name: 'llm_node',
  link(config) {
    // The definition beside this file has parsed it
    const given = config as unknown as Config
    const { model, schema } = given
    const fixed = { method: 'POST', path: '/chat/completions', bytesMax: given.max_body }
    const request = requestOf(given)
    // The definition has compiled it before
    const judge = schema === null ? null : createSchemaJudges({}, true).of(schema, 'request')
    return async ({ messages }, { callServer, countTokens, ambient }) => {
      const body = { ...request, messages: readMessages(messages) }
      const { status, headers, body: answer } = await callServer({ ...fixed, body })
      if (!isSuccess(status)) throw statusFailure(Number(status), headers, answer, ambient.now())
      const completion = readCompletion(answer)
      // Also of an answer that cannot be used: the server counts it
      countTokens({ model, ...completion.usage })
      return { handle: 'success', outputs: outputsOf(completion, judge) }
    }
  },
}

function isSuccess(status: unknown): boolean {
  return typeof status === 'number' && status >= 200 && status < 300
}

/** All of the request but its messages. */
function requestOf({ model, max_tokens, max_tokens_name, temperature, schema, strict }: Config): Plain {
  return {
    model,
    [max_tokens_name]: max_tokens,
    ...(temperature === null ? {} : { temperature }),
    ...(schema === null
      ? {}
      : {
          response_format: { type: 'json_schema', json_schema: { name: SCHEMA_NAME, schema, strict } },
        }),
  }
}

/** @throws NodeFailure for an answer that cannot be used, with outputs for the handle `error` */
function outputsOf(completion: Completion, judge: Judge | null): Plain {
  const { text, finish_reason, model, usage, isRefused, fault } = completion
  const outputs = { text, json: null, errors: [], usage, model, finish_reason }
  const failure = (kind: string, message: string, more: Plain = {}): NodeFailure =>
    new NodeFailure(kind, message, 'upstream_invalid_response', { outputs: { ...outputs, ...more } })
  if (fault !== null) throw failure('malformed', `the answer is no chat completion: ${fault}`)
  if (isRefused) throw failure('refused', 'the model refused to answer')
  if (judge === null) return outputs
  if (finish_reason === 'length') throw failure('length', 'the answer was cut off at max_tokens')
  const json = parseStrictJson(text, DEPTH_MAX)
  const errors = json === undefined ? [{ pointer: '', reason: 'must be JSON' }] : (judge(json) ?? [])
  if (errors.length === 0) return { ...outputs, json }
  // Pointers may hold names that the model has chosen
  throw failure('schema', `the answer does not conform to the schema (faults: ${errors.length})`, { errors })
}
