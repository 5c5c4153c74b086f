import { Link } from '@tanstack/react-router'
import type { Json, JsonObject } from '../../build/document.ts'
import { Badge, Status, stateOf } from '../kit/status.tsx'
import { classes } from '../kit/style.ts'
import { CodeBlock, Time } from '../kit/text.tsx'
import { Markdown } from '../markdown/markdown.tsx'
import { labelOf } from '../schema/fields.ts'
import { isObject } from '../schema/value.ts'

/** Members that every resource has, shown at the side of its page. */
export const COMMON = [
  'id',
  'slug',
  'revision',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
  'managed_by',
  'name',
]
const DEPTH_MAX = 3
/** Values of references that name no resource. */
const WORDS = ['inherit', 'none', 'viewer', 'modifier', 'auditor', 'admin']

/** The members of an object, read as a list of terms. */
export function Details({
  value,
  without = [],
  refs = {},
  markdown = [],
  depth = 0,
}: {
  value: JsonObject
  without?: readonly string[]
  /** Resources that members name, by member. */
  refs?: Readonly<Record<string, string>>
  /** Members that are written in Markdown. */
  markdown?: readonly string[]
  depth?: number
}) {
  const members = Object.entries(value).filter(([name]) => !without.includes(name))
  return (
    <dl
      className={classes(
        'grid grid-cols-1 gap-x-4 gap-y-2',
        depth === 0
          ? 'grid-cols-1 sm:grid-cols-[200px_minmax(0,1fr)]'
          : 'grid-cols-1 sm:grid-cols-[fit-content(120px)_minmax(0,1fr)]',
      )}
    >
      {members.map(([name, member]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{labelOf(name)}</dt>
          <dd className="min-w-0 break-words max-sm:mb-2">
            {markdown.includes(name) && typeof member === 'string' && member !== '' ? (
              <Markdown text={member} />
            ) : refs[name] === undefined || isNothing(member) ? (
              <Value name={name} value={member} depth={depth} />
            ) : (
              <References resource={refs[name]} value={member} />
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** True for values that stand for no value: null, an empty text, an empty list and an empty object. */
export function isNothing(value: Json): boolean {
  if (value === null || value === '') return true
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0
}

/** Slugs of other resources, as links. Words such as `inherit` are no slugs. */
function References({ resource, value }: { resource: string; value: Json }) {
  const slugs = [value].flat().filter((one) => typeof one === 'string')
  return (
    <span className="flex flex-wrap gap-x-3">
      {slugs.map((slug) =>
        WORDS.includes(slug) ? (
          <span key={slug}>{slug}</span>
        ) : (
          <Link key={slug} to="/$resource/$id" params={{ resource, id: slug }} className="underline">
            {slug}
          </Link>
        ),
      )}
    </span>
  )
}

function Value({ name, value, depth }: { name: string; value: Json; depth: number }) {
  if (Array.isArray(value) && value.some((item) => isObject(item))) {
    if (depth >= DEPTH_MAX) return <CodeBlock label={name} text={JSON.stringify(value, null, 2)} />
    return (
      <ol className="flex flex-col gap-2">
        {(value as readonly Json[]).map((item, index) => (
          <li key={index} className="rounded-md border border-line p-2">
            {isObject(item) ? <Details value={item} depth={depth + 1} /> : <Cell name={name} value={item} />}
          </li>
        ))}
      </ol>
    )
  }
  if (isObject(value) && Object.keys(value).length > 0) {
    if (depth >= DEPTH_MAX) return <CodeBlock label={name} text={JSON.stringify(value, null, 2)} />
    return (
      <div className="rounded-md border border-line p-2">
        <Details value={value} depth={depth + 1} />
      </div>
    )
  }
  if (isObject(value)) return <span className="text-muted">–</span>
  if (Array.isArray(value) && value.length > 3) return <span>{value.join(', ')}</span>
  return <Cell name={name} value={value} />
}

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
