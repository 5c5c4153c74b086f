import type { Operation } from '../../operations/engine/define.ts'
import { type Field, fieldsOf } from '../fields.ts'
import { nameOf, needsConfirmation } from '../route.ts'
import { kebab, takesId } from './flags.ts'

/** Values that read as one would write them, by the name of the member. */
const SAMPLES: Readonly<Record<string, string>> = {
  name: 'Example',
  slug: 'example',
  base_path: '/orders',
  path: '/v1/orders/{id}',
  methods: 'GET',
  collection: 'orders',
  client: 'acme',
  profile: 'live',
  role: 'viewer',
  method: 'GET',
  reason: "'a new partner'",
}

/** Flags by operation, where the required ones alone are refused or teach too little. */
const FLAGS: Readonly<Record<string, string>> = {
  'guardrails.create': '--file guardrail.json',
  'guardrails.test': `--guardrail mask-cards --sample '{"card":"4111 1111 1111 1111"}' -o json`,
  'proxies.apply_template': '--file parameters.json',
  'records.follow': '--collection orders --status 4xx',
  'workflows.create': '--file workflow.json',
  'workflows.expand_template': `--template canary-routing --parameters '{"path":"/v2"}' -o json`,
  'workflows.nodes': '--type set_node -o json',
  'workflows.start_capture': '--proxy orders:checked --count 1',
  'workflows.run_tests': '--workflow checked-order',
  'workflows.test': `--workflow checked-order --request '{"method":"POST","body":{"order":7}}'`,
  'workflows.test_node': `--type set_node --inputs '{"total":"{{ 6 * 7 }}"}'`,
  'workflows.validate': '--workflow checked-order -o json',
}

/** One command line of an operation, with all that it cannot do without. */
export function exampleOf(operation: Operation): string {
  const own = FLAGS[nameOf(operation)]
  if (own !== undefined) return `postern ${kebab(operation.resource)} ${kebab(operation.action)} ${own}`
  const words = ['postern', kebab(operation.resource), kebab(operation.action)]
  if (takesId(operation)) words.push(operation.resource === 'collections' ? 'orders' : '<id>')
  const required = fieldsOf(operation).filter(({ name, required }) => required && name !== 'id')
  for (const field of required) words.push(`--${kebab(field.name)} ${sampleOf(field)}`)
  if (required.length === 0 && operation.action === 'update') words.push(changeOf(operation))
  if (needsConfirmation(operation)) words.push('--dry-run')
  else if (operation.effect === 'read') words.push('-o json')
  return words.join(' ')
}

function changeOf(operation: Operation): string {
  const first = fieldsOf(operation).find(({ name, kind }) => name !== 'id' && kind === 'text')
  return first === undefined ? '--file changes.yaml' : `--${kebab(first.name)} ${sampleOf(first)}`
}

function sampleOf({ name, kind, itemKind, choices }: Field): string {
  const sample = Object.hasOwn(SAMPLES, name) ? SAMPLES[name] : choices[0]
  if (sample !== undefined) return sample
  if (kind === 'json' || itemKind === 'json') return "'{...}'"
  return kind === 'integer' || kind === 'number' ? '1' : `<${kebab(name)}>`
}
