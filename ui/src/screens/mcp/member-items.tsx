import { useState } from 'react'
import { faultOf, useCall } from '../../api/client.ts'
import { Button, TextInput } from '../../kit/controls.tsx'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { HiddenNote, HiddenText } from '../../kit/text.tsx'
import { type CapabilityType, type Item, itemOf, type Member } from './capability.ts'
import { choiceOf, type Rules, risksOf, sentenceOfRule, summaryOf, withItem, withName } from './selection.ts'

/** Items of one origin that are shown at once. */
export const SHOWN = 200
const RISKS = { writes: 'may write', reveals: 'may reveal secrets' } as const

const NOUNS: Readonly<Record<CapabilityType, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  resource_templates: 'resource templates',
}

interface MemberItemsProps {
  readonly member: Member
  readonly type: CapabilityType
  readonly isReadOnly: boolean
  readonly onRules: (rules: Rules) => void
}

/** What one origin lists, with a box for each item that the rules select or not. */
export function MemberItems({ member, type, isReadOnly, onRules }: MemberItemsProps) {
  const { data, error, refetch } = useCall('origins.catalog', { id: member.origin, type, limit: SHOWN })
  const rules = member.capability_policy[type] as Rules
  const items = (data?.items ?? []).map((listed) => itemOf(type, listed))
  const summary = summaryOf(rules, items)
  return (
    <section aria-label={`Origin ${member.origin}`} className="rounded-md border border-line">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-2">
        <h2 className="font-semibold">{member.origin}</h2>
        {!member.active && <Status state="off">inactive</Status>}
        <span className="text-sm text-muted">
          {summary === 'all'
            ? `Allow all ${NOUNS[type]}, including future ones`
            : summary === 'none'
              ? 'No items allowed'
              : 'Some items allowed'}
        </span>
        {!isReadOnly && (
          <span className="ml-auto flex gap-2">
            <Button isSmall disabled={rules === undefined} onClick={() => onRules(undefined)}>
              All
            </Button>
            <Button isSmall disabled={rules?.length === 0} onClick={() => onRules([])}>
              None
            </Button>
          </span>
        )}
      </header>
      <div className="p-3">
        {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
        {data === undefined && error === null && <SkeletonRows rows={4} />}
        {data !== undefined && items.length === 0 && (
          <p className="text-muted">
            {data.protocol === null
              ? 'Postern has no catalogue of this origin yet. Refresh it on the page of the origin.'
              : 'The origin lists nothing of this kind.'}
          </p>
        )}
        <ul aria-label={`Items of ${member.origin}`} className="flex flex-col">
          {items.map((item) => (
            <ItemRow
              key={item.key}
              item={item}
              rules={rules}
              type={type}
              isReadOnly={isReadOnly}
              onRules={onRules}
            />
          ))}
        </ul>
        {data?.next_cursor != null && (
          <p className="text-sm text-muted">
            The first {SHOWN} items are shown. Rules under Edit match the others.
          </p>
        )}
      </div>
    </section>
  )
}

interface ItemRowProps extends Omit<MemberItemsProps, 'member'> {
  readonly item: Item
  readonly rules: Rules
}

function ItemRow({ item, rules, type, isReadOnly, onRules }: ItemRowProps) {
  const choice = choiceOf(rules, item)
  const [isRenaming, setRenaming] = useState(false)
  const rule = choice.rule === null ? undefined : rules?.[choice.rule]
  const mayRename = !isReadOnly && choice.is !== 'off' && (type === 'tools' || type === 'prompts')
  return (
    <li className="flex flex-col gap-1 border-t border-line py-2 first:border-0">
      <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <label className="flex min-h-6 min-w-0 items-center gap-2">
          <input
            type="checkbox"
            className="size-4 shrink-0 accent-accent"
            checked={choice.is !== 'off'}
            disabled={isReadOnly || !choice.canChange}
            onChange={(event) => onRules(withItem(rules, item, event.target.checked))}
          />
          <code className="font-medium break-all">
            <HiddenText text={item.key} />
          </code>
        </label>
        {type === 'tools' &&
          risksOf(item).map((risk) => (
            <Status key={risk} state="warn">
              {RISKS[risk]}
            </Status>
          ))}
        {choice.is === 'some' && <Badge tone="dashed">for some callers</Badge>}
        {choice.rename !== null && (
          <span className="text-sm">
            as <code>{choice.rename}</code>
          </span>
        )}
        {rule !== undefined && <span className="text-sm text-muted">{sentenceOfRule(rule, type)}</span>}
        {mayRename && (
          <Button isSmall tone="quiet" aria-expanded={isRenaming} onClick={() => setRenaming(!isRenaming)}>
            Rename<span className="sr-only"> {item.key}</span>
          </Button>
        )}
      </span>
      {isRenaming && mayRename && (
        <TextInput
          autoFocus
          aria-label={`Name of ${item.key} for callers`}
          className="w-60 font-mono"
          placeholder={item.key}
          value={choice.rename ?? ''}
          onChange={(event) =>
            onRules(withName(rules, item, event.target.value === '' ? null : event.target.value))
          }
          onKeyDown={(event) => event.key === 'Enter' && setRenaming(false)}
        />
      )}
      {item.description !== '' && (
        <p className="max-w-[90ch] pl-6 text-sm break-words text-muted">
          <HiddenText text={item.description} />
        </p>
      )}
      <HiddenNote text={item.description} />
    </li>
  )
}
