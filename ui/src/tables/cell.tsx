import type { Json } from '../../build/document.ts'
import { Badge, Status, stateOf } from '../kit/status.tsx'
import { Time } from '../kit/time.tsx'
import { isObject } from '../schema/value.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/
const TYPE = /(?:^|\.)type$/
const STATE_NAMES = ['status', 'state', 'health', 'mode', 'outcome', 'credential_state']
const SHOWN_MAX = 3

/** The value of a member, in the form that fits it best in a line. */
export function Cell({ name, value }: { name: string; value: Json | undefined }) {
  if (value === null || value === undefined || value === '') return <span className="text-muted">–</span>
  if (typeof value === 'boolean') {
    if (/(?:^|\.)active$/.test(name))
      return <Status state={value ? 'ok' : 'off'}>{value ? 'active' : 'inactive'}</Status>
    return <span className="text-muted">{value ? 'yes' : 'no'}</span>
  }
  if (typeof value === 'number') return <span className="tabular-nums">{value.toLocaleString('en')}</span>
  if (typeof value === 'string') return <Text name={name} value={value} />
  if (Array.isArray(value)) return <Several values={value} />
  if (isObject(value)) return <span className="font-mono text-sm">{shortOf(value)}</span>
  return null
}

function Text({ name, value }: { name: string; value: string }) {
  if (TIME.test(value)) return <Time value={value} />
  const state = STATE_NAMES.includes(name) ? stateOf(value) : null
  if (state !== null) return <Status state={state}>{value.replaceAll('_', ' ')}</Status>
  if (TYPE.test(name)) return <>{value.replaceAll('_', ' ')}</>
  if (/path|url|id$/.test(name)) return <code className="max-sm:break-all">{value}</code>
  return <>{value}</>
}

function Several({ values }: { values: readonly Json[] }) {
  if (values.length === 0) return <span className="text-muted">–</span>
  const texts = values.map((value) => (isObject(value) ? shortOf(value) : String(value)))
  return (
    <span title={texts.join(', ')}>
      {texts.length > SHOWN_MAX
        ? texts.length
        : texts.map((text) => (
            // One box each in a line of text, so that a cell ends with an ellipsis instead of half of one
            <span key={text} className="mr-1 inline-block max-w-full">
              <Badge>{text}</Badge>
            </span>
          ))}
    </span>
  )
}

/** An object in a few words: its name, type or state if it has one. */
function shortOf(value: Readonly<Record<string, Json>>): string {
  for (const name of ['slug', 'name', 'user', 'type', 'kind', 'status', 'url'])
    if (typeof value[name] === 'string') return value[name]
  return JSON.stringify(value)
}
