import { z } from 'zod'
import { UpstreamUrl } from '../model/api/upstream.ts'
import { Duration, Ref } from '../model/members.ts'
import { BaseUrl, MaxTokens, ModelName } from './llm/definition.ts'
import { Text } from './node-type.ts'
import {
  answer,
  headerValue,
  limited,
  type NodeInput,
  passed,
  problem,
  READ_TEMPLATES,
  type Template,
  template,
  upstream,
} from './read-templates.ts'
import { REDACT_DETECTORS } from './redact/definition.ts'
import { FORMATS } from './transform/run.ts'

const DETECTORS = REDACT_DETECTORS.filter((name) => name !== 'injection')

const Parameters = z.strictObject({
  base_url: BaseUrl,
  credential: Ref.nullable().default(null).describe('Credential for the server, by id or slug'),
  model: ModelName.describe('Name of the model at the server'),
  fallback_model: ModelName.nullable().default(null).describe('Model to use if the first model fails'),
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

const GUARDED_LLM: Template = template(
  'guarded-llm',
  'A language model behind a rate: questions and answers are redacted, attacks refused, and a second model can take over',
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

const HeaderName = z.string().regex(/^[A-Za-z0-9-]{1,128}$/, 'the name of a header')
const PATH = z.string().regex(/^\//, 'a path').max(1024)

export const TEMPLATES: readonly Template[] = [
  template(
    'orchestration',
    'Calls the upstream twice in parallel and combines the two responses',
    z.strictObject({
      first: PATH.describe(
        'Path of the first call below the URL of the upstream, such as /v1/orders/7. The response contains its response as the member first',
      ),
      second: PATH.describe(
        'Path of the second call, such as /v1/customers/{{ $.http.request.path_params.id }}. The response contains its response as the member second',
      ),
    }),
    ({ first, second }) => ({
      nodes: [
        { id: 'a', type: 'proxy_node', inputs: { path: first } },
        { id: 'b', type: 'proxy_node', inputs: { path: second } },
        { id: 'both', type: 'join_node' },
        answer('ok', { first: '{{ $.a.body }}', second: '{{ $.b.body }}' }),
      ],
      edges: ['http a', 'http b', 'a success both', 'b success both', 'both ok'],
    }),
  ),
  template(
    'transformation',
    'Converts the request and the response to other formats',
    z.strictObject({
      to_upstream: z.enum(FORMATS).describe('Format of the requests to the upstream and of its responses'),
      to_caller: z.enum(FORMATS).describe('Format that callers send and receive'),
    }),
    ({ to_upstream, to_caller }) => ({
      nodes: [
        convert('before', '{{ $.http.request.body }}', to_caller, to_upstream),
        typed('call', 'proxy_node', 'before', {}),
        convert('after', '{{ $.call.body }}', to_upstream, to_caller),
        typed('ok', 'response_node', 'after', { status: '{{ $.call.status }}' }),
      ],
      edges: ['http before', 'before call', 'call success after', 'after ok'],
    }),
  ),
  template(
    'canary-routing',
    'Callers with a header go to another path',
    z.strictObject({
      header: HeaderName.default('x-canary').describe('Name of the request header that is checked'),
      value: Text.default('true').describe('Value of the header with which a request goes to the other path'),
      path: PATH.describe(
        'Path of these requests below the URL of the upstream, such as /v2/orders. Other requests keep their path',
      ),
    }),
    ({ header, value, path }) => ({
      nodes: [
        {
          id: 'which',
          type: 'switch_node',
          config: { cases: [{ label: 'canary', match: value }] },
          inputs: { value: headerValue(header.toLowerCase()) },
        },
        { id: 'new', type: 'proxy_node', inputs: { path } },
        upstream,
        { ...passed('new'), id: 'from_new' },
        passed('call'),
      ],
      edges: ['http which', 'which canary new', 'which call', 'new success from_new', 'call success ok'],
    }),
  ),
  template(
    'mcp-bridge',
    'A tool of an origin as a REST endpoint: the structured result, or the content if there is no structured result',
    z.strictObject({
      origin: Ref.describe('Origin, by id or slug'),
      tool: Text.describe('Name of the tool at the origin'),
      as: z
        .enum(['shared', 'user'])
        .default('shared')
        .describe(
          'Account at the origin. shared: one for all callers; user: the account of the calling person',
        ),
      arguments: z
        .union([z.string().max(1024), z.record(z.string().max(256), z.json())])
        .default('{{ $.http.request.body }}')
        .describe('Arguments of the tool, such as {"city":"{{ $.http.request.path_params.city }}"}'),
      error_status: z.int().min(400).max(599).default(422).describe('Status if the tool reports an error'),
    }),
    ({ origin, tool, as, arguments: given, error_status }) => ({
      nodes: [
        { id: 'call', type: 'mcp_call_node', config: { origin, tool, as }, inputs: { arguments: given } },
        { id: 'failed', type: 'condition_node', inputs: { expression: '{{ $.call.is_error }}' } },
        {
          id: 'bad',
          type: 'response_node',
          config: { status: error_status },
          inputs: { problem: { code: 'tool_error', title: 'Tool error', content: '{{ $.call.content }}' } },
        },
        answer('ok', '{{ $.call.structured == null ? {"content": $.call.content} : $.call.structured }}'),
      ],
      edges: ['http call', 'call success failed', 'failed true bad', 'failed false ok'],
    }),
  ),
  template(
    'auth-and-limit',
    'A scope that the token of the caller must have, and a rate for each client',
    z.strictObject({
      scope: Text.describe(
        'Scope that the token must have, such as orders:read. The profile must list the claim scope or scp in claims',
      ),
      max: z.int().min(1).default(100).describe('Requests that each client may make in any window'),
      window: Duration.default('1m').describe('Sliding window, from 1s to 24h'),
    }),
    ({ scope, max, window }) => ({
      nodes: [
        { id: 'may', type: 'auth_check_node', config: { scopes: [scope] } },
        {
          id: 'rate',
          type: 'rate_limit_node',
          config: { max, window },
          inputs: { key: '{{ $.http.request.client }}' },
        },
        upstream,
        passed('call'),
        problem('denied', 403, 'endpoint_not_allowed', 'The token lacks a scope that this endpoint needs.'),
        limited,
      ],
      edges: [
        ...['http may', 'may true rate', 'may false denied', 'rate true call', 'rate false limited'],
        'call success ok',
      ],
    }),
  ),
  template(
    'async-accept',
    'Hands the body to another service, and answers 202 once the service has accepted it',
    z.strictObject({
      url: UpstreamUrl.refine((text) => !text.includes('{{'), 'is fixed, without expressions').describe(
        'URL to which the work is sent with POST',
      ),
      credential: Ref.nullable().default(null).describe('Credential for the service, by id or slug'),
      timeout: Duration.default('5s').describe('Time within which the service must accept the work'),
    }),
    ({ url, credential, timeout }) => ({
      nodes: [
        {
          id: 'hand',
          type: 'http_request_node',
          config: { method: 'POST', url, credential },
          inputs: {
            // A service that knows the key does the work of a repeated request once
            headers: { 'Idempotency-Key': '{{ $.http.request.id }}' },
            body: '{{ $.http.request.body }}',
          },
          timeout,
          retry: { max: 2, on: ['timeout', '502', '503', '504'] },
          on_error: 'handle',
        },
        { id: 'accepted', type: 'condition_node', inputs: { expression: '{{ $.hand.status < 300 }}' } },
        answer('taken', { id: '{{ $.http.request.id }}', status: 'accepted' }, 202),
        problem('refused', 502, 'not_accepted', 'The service has not accepted the work.'),
        problem('down', 503, 'not_accepted', 'The service cannot be reached. Try again later.'),
      ],
      edges: [
        ...['http hand', 'hand success accepted', 'hand error down'],
        ...['accepted true taken', 'accepted false refused'],
      ],
    }),
  ),
  GUARDED_LLM,
  ...READ_TEMPLATES,
]

function convert(id: string, value: string, from: string, to: string): NodeInput {
  return { id, type: 'transform_node', config: { op: 'convert', from, to }, inputs: { value } }
}

/** A node that sends what another one has converted. */
function typed(id: string, type: string, from: string, inputs: Readonly<Record<string, string>>): NodeInput {
  const headers = { 'content-type': `{{ $.${from}.content_type }}` }
  return { id, type, inputs: { ...inputs, headers, body: `{{ $.${from}.value }}` } }
}
