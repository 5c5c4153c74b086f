/** What a creation stores, in the words of its form. Members without a value are left out. */
import type { Json, JsonObject } from '../../build/document.ts'
import type { DiffEntry } from '../api/client.ts'
import { HiddenNote, HiddenText } from '../kit/text.tsx'
import { labelOf } from '../schema/fields.ts'
import { isObject } from '../schema/value.ts'
import { createdMembers, isEmpty } from './created.ts'

export function Created({ entries }: { entries: readonly DiffEntry[] }) {
  return <Members value={createdMembers(entries)} />
}

function Members({ value }: { value: JsonObject }) {
  return (
    <dl className="grid grid-cols-1 gap-x-4 gap-y-1 sm:grid-cols-[200px_minmax(0,1fr)]">
      {Object.entries(value)
        .filter(([, member]) => !isEmpty(member))
        .map(([name, member]) => (
          <div key={name} className="contents">
            <dt className="text-muted">{labelOf(name)}</dt>
            <dd className="min-w-0 break-words max-sm:mb-2">
              <Value value={member} />
            </dd>
          </div>
        ))}
    </dl>
  )
}

/** Whoever creates something judges what is there: characters that cannot be seen are marked, as in a difference. */
function Value({ value }: { value: Json }) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return value.toLocaleString('en')
  if (isObject(value)) return <Members value={value} />
  if (Array.isArray(value)) {
    const items: readonly Json[] = value
    return (
      <ul className="flex flex-col gap-1">
        {items.map((item, index) => (
          <li key={index} className={isObject(item) ? 'rounded-md border border-line p-2' : ''}>
            <Value value={item} />
          </li>
        ))}
      </ul>
    )
  }
  const text = String(value)
  return (
    <>
      <span className="whitespace-pre-wrap">
        <HiddenText text={text} />
      </span>
      <HiddenNote text={text} />
    </>
  )
}
