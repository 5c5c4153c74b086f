import { useNavigate, useSearch } from '@tanstack/react-router'
import { useId } from 'react'
import { faultOf, type Input, type Output, operation, useCall } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { RefInput } from '../../forms/ref-input.tsx'
import { Labeled, Select } from '../../kit/controls.tsx'
import { Empty, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { HiddenText } from '../../kit/text.tsx'
import { counted } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { TYPES } from './capability.ts'

const CALLERS = [
  { member: '', label: 'Any caller', resource: '' },
  { member: 'person', label: 'A person', resource: 'users' },
  { member: 'team', label: 'A team', resource: 'teams' },
  { member: 'client', label: 'A client', resource: 'clients' },
  { member: 'profile', label: 'A profile', resource: 'profiles' },
] as const
const SHOWN = 200

type Item = Output<'virtual_mcps.preview'>['items'][number]

/** What a caller sees of a virtual MCP, by which rule, and what its list costs in tokens. The address holds the caller. */
export default function PreviewPart({ slug }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const id = useId()
  const caller =
    CALLERS.find(({ member }) => member === one(search['as'])) ??
    CALLERS.find(({ member }) => member !== '' && search[member] !== undefined) ??
    CALLERS[0]
  const name = caller.member === '' ? '' : (one(search[caller.member]) ?? '')
  const type = TYPES.find((one_) => one_.type === one(search['type']))?.type ?? 'tools'
  const input = {
    id: slug,
    type,
    limit: SHOWN,
    ...(name !== '' && { [caller.member]: name }),
  } as Input<'virtual_mcps.preview'>
  const { data, error, refetch } = useCall('virtual_mcps.preview', input, { isKept: true })
  const change = (changes: Readonly<Record<string, string | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: true }).catch(() => {})
  }
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-end gap-3">
        <Labeled id={`${id}as`} label="Preview as">
          <Select
            id={`${id}as`}
            className="w-48"
            value={caller.member}
            onChange={(event) =>
              change({
                ...Object.fromEntries(CALLERS.map(({ member }) => [member || 'as', undefined])),
                as: event.target.value || undefined,
              })
            }
          >
            {CALLERS.map(({ member, label }) => (
              <option key={member} value={member}>
                {label}
              </option>
            ))}
          </Select>
        </Labeled>
        {caller.member !== '' && (
          <div className="w-60">
            <Labeled id={`${id}name`} label={caller.label}>
              <RefInput
                key={caller.member}
                id={`${id}name`}
                resource={caller.resource}
                value={name}
                onValue={(next) => change({ as: caller.member, [caller.member]: next || undefined })}
                isPickOnly
              />
            </Labeled>
          </div>
        )}
        <Labeled id={`${id}type`} label="List">
          <Select
            id={`${id}type`}
            className="w-44"
            value={type}
            onChange={(event) =>
              change({ type: event.target.value === 'tools' ? undefined : event.target.value })
            }
          >
            {TYPES.map((one_) => (
              <option key={one_.type} value={one_.type}>
                {one_.label}
              </option>
            ))}
          </Select>
        </Labeled>
        <ShowAs request={{ operation: operation('virtual_mcps.preview')!, input, options: {} }} />
      </div>
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {data === undefined && error === null && <SkeletonRows rows={8} />}
      {data !== undefined && error === null && <Preview preview={data} />}
    </div>
  )
}

function Preview({ preview }: { preview: Output<'virtual_mcps.preview'> }) {
  const { items, shown, tokens, compact_tokens, mcp_view, warnings, assigned, next_cursor } = preview
  return (
    <>
      <p>
        {`The caller sees ${shown} of ${items.length}${next_cursor === null ? '' : ' or more'}. `}
        {`The list is about ${(mcp_view === 'compact' ? compact_tokens : tokens).toLocaleString('en')} tokens in the ${mcp_view} view, `}
        {`and ${(mcp_view === 'compact' ? tokens : compact_tokens).toLocaleString('en')} in the other.`}
      </p>
      {assigned === false && <Status state="warn">The client may not call this virtual MCP</Status>}
      {warnings.map(({ reason }) => (
        <Status key={reason} state="warn" className="whitespace-normal">
          {reason}
        </Status>
      ))}
      {items.length === 0 ? (
        <Empty title="The origins list nothing of this kind" />
      ) : (
        <ul aria-label="Items" className="flex flex-col">
          {items.map((item) => (
            <li
              key={`${item.origin} ${item.key}`}
              className="flex flex-wrap items-baseline gap-x-3 gap-y-1 border-t border-line py-1.5"
            >
              <Status state={item.shown ? 'ok' : 'off'}>{item.shown ? 'shown' : 'hidden'}</Status>
              <code className="min-w-0 break-all">
                <HiddenText text={item.name} />
              </code>
              <span className="text-sm text-muted">
                {reasonOf(item)} · {item.origin}
                {item.key !== item.name && (
                  <>
                    , there <code>{item.key}</code>
                  </>
                )}
              </span>
              {item.finding !== null && (
                <Status state="warn" className="whitespace-normal">
                  {`The item is ${item.finding}`}
                </Status>
              )}
              {item.tokens !== null && (
                <span className="ml-auto text-sm text-muted tabular-nums">
                  {counted(item.tokens, 'token')}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** Which rule shows or hides an item. Rules are counted from 1, as people do. */
function reasonOf({ because, rule, held }: Item): string {
  switch (because) {
    case 'passes_all':
      return 'there are no rules for this list'
    case 'rule':
      return rule === null ? 'by a rule' : `by rule ${rule + 1}`
    case 'no_rule':
      return 'no rule matches it'
    case 'held':
      return held === 'new' ? 'new, waits for approval' : 'changed, waits for approval'
    case 'invalid':
      return 'it violates the MCP specification'
    case 'unknown':
      return 'the origin no longer lists it'
  }
}
