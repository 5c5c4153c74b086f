import type { Operation } from '../../operations/engine/define.ts'
import { type Field, fieldsOf } from '../fields.ts'
import { needsConfirmation } from '../route.ts'
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

/** One command line of an operation, with all that it cannot do without. */
export function exampleOf(operation: Operation): string {
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
