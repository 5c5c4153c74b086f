import { z } from 'zod'
import { Duration, Ref } from '../model/members.ts'
import { BaseUrl, MaxTokens, ModelName } from './llm/definition.ts'
import { REDACT_DETECTORS } from './redact/definition.ts'
import { limited, type NodeInput, problem, type Template, template } from './template.ts'

const DETECTORS = REDACT_DETECTORS.filter((name) => name !== 'injection')

const Parameters = z.strictObject({
  base_url: BaseUrl,
  credential: Ref.nullable().default(null).describe('Credential for the server, by id or slug'),
  model: ModelName.describe('Model that is asked, as the server names it'),
  fallback_model: ModelName.nullable().default(null).describe('Asked if the first model cannot be used'),
  system: z
    .string()
    .min(1)
    .max(32_768)
    .default('You are a helpful assistant.')
    .describe('Instructions for the model'),
  question: z
    .string()
    .min(1)
    .max(1024)
    .default('{{ $.http.request.body.question }}')
    .describe('The question of the caller: a text, or an expression that gives one'),
  question_chars: z.int().min(1).max(1_000_000).default(8000).describe('Longest question, in characters'),
  max_tokens: MaxTokens.describe('Longest answer in tokens'),
  max: z.int().min(1).default(20).describe('Questions that each client may ask in any window'),
  window: Duration.default('1m').describe('Sliding window, from 1s to 24h'),
  timeout: Duration.default('10s').describe('Time for each attempt; the whole run has 30 s'),
  detectors: z
    .array(z.enum(DETECTORS))
    .min(1)
    .default(['email', 'card', 'iban', 'phone', 'national_id', 'secret'])
    .describe('Kinds of data that are redacted in questions and answers'),
})
type Given = z.output<typeof Parameters>

/** No second model answers what the first one refuses. */
const WHY: NodeInput = {
  id: 'why',
  type: 'switch_node',
  config: { cases: [{ label: 'refused', match: 'refused' }] },
  inputs: { value: '{{ $.ask.error.kind }}' },
}

export const GUARDED_LLM: Template = template(
  'guarded-llm',
  'A language model behind a rate: questions and answers are redacted, attacks refused, and a second model can stand in',
  Parameters,
  (given) => {
    const { fallback_model, question, question_chars, max, window, detectors } = given
    const redact = (id: string, value: string, names: readonly string[]): NodeInput => ({
      id,
      type: 'redact_node',
      config: { detectors: [...names], action: 'redact' },
      inputs: { value },
    })
    const second = fallback_model === null ? [] : answering(given, 'second', fallback_model, redact)
    return {
      nodes: [
        {
          id: 'rate',
          type: 'rate_limit_node',
          config: { max, window },
          inputs: { key: '{{ $.http.request.client }}' },
        },
        limited,
        {
          id: 'read',
          type: 'validate_node',
          config: { schema: { type: 'string', minLength: 1, maxLength: question_chars } },
          inputs: { value: question },
          // There is no question in the request
          on_error: 'handle',
        },
        problem(
          'bad',
          400,
          'body_invalid',
          `The question is a text of at most ${question_chars} characters.`,
        ),
        redact('clean', question, detectors),
        redact('look', '{{ $.clean.value }}', ['injection']),
        { id: 'attack', type: 'condition_node', inputs: { expression: '{{ has($.look.hits.injection) }}' } },
        problem('refused', 422, 'question_refused', 'The question is not answered.'),
        ...answering(given, 'ask', given.model, redact),
        WHY,
        ...second,
        problem('down', 503, 'model_unavailable', 'The model cannot be asked. Try again later.'),
      ],
      edges: [
        ...['http rate', 'rate false limited', 'rate true read', 'read invalid bad', 'read error bad'],
        ...['read valid clean', 'clean look', 'look attack', 'attack true refused', 'attack false ask'],
        ...['ask success ask_clean', 'ask_clean ask_ok', 'ask error why', 'why refused refused'],
        ...(second.length === 0
          ? ['why down']
          : ['why second', 'second success second_clean', 'second_clean second_ok', 'second error down']),
      ],
    }
  },
)

/** A node that asks, and what redacts and gives its answer. */
function answering(
  { base_url, credential, system, max_tokens, timeout, detectors }: Given,
  id: string,
  model: string,
  redact: (id: string, value: string, names: readonly string[]) => NodeInput,
): readonly NodeInput[] {
  return [
    {
      id,
      type: 'llm_node',
      config: { base_url, credential, model, max_tokens },
      inputs: {
        messages: [
          { role: 'system', content: system },
          { role: 'user', content: '{{ $.clean.value }}' },
        ],
      },
      timeout,
      retry: { max: 1, on: ['timeout', '429', '502', '503', '504'] },
      on_error: 'handle',
    },
    redact(`${id}_clean`, `{{ $.${id}.text }}`, detectors),
    {
      id: `${id}_ok`,
      type: 'response_node',
      inputs: {
        body: {
          answer: `{{ $.${id}_clean.value }}`,
          finish_reason: `{{ $.${id}.finish_reason }}`,
          model: `{{ $.${id}.model }}`,
          usage: `{{ $.${id}.usage }}`,
        },
      },
    },
  ]
}
