import { useNavigate, useSearch } from '@tanstack/react-router'
import { Save } from 'lucide-react'
import { useId, useState } from 'react'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay } from '../../api/session.ts'
import { useCall } from '../../api/use-call.ts'
import { one, type Search } from '../../app/search.ts'
import { ReviewWrite } from '../../forms/review-write.tsx'
import { Button } from '../../kit/button.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Labeled, Select, TextInput } from '../../kit/inputs.tsx'
import { Empty, FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { isEqual } from '../../schema/value.ts'
import type { PartProps } from '../hand-made.ts'
import { setOf } from '../resources/managed.tsx'
import { type CapabilityType, type Item, itemOf, type Member, TYPES } from './capability.ts'
import { HiddenNote, HiddenText } from './hidden-text.tsx'
import { choiceOf, type Rules, sentenceOfRule, summaryOf, withItem, withName } from './selection.ts'

/** Items of one origin that are shown at once. */
const SHOWN = 200

/** What callers get from each origin: boxes show what is selected now, by the rules of the virtual MCP. */
export default function CapabilitiesPart({ slug, value }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const may = useMay()
  const id = useId()
  const stored = value['members'] as unknown as readonly Member[]
  const [edited, setEdited] = useState<readonly Member[] | null>(null)
  const [isSaving, setSaving] = useState(false)
  const members = edited ?? stored
  const isDirty = edited !== null && !isEqual(edited as never, stored as never)
  const isReadOnly = setOf(value['managed_by']) !== null || !may('virtual_mcps.update')
  const type = TYPES.find((listed) => listed.type === one(search['type']))?.type ?? 'tools'
  if (members.length === 0)
    return (
      <Empty title="No origin yet">
        A virtual MCP shows the tools, prompts and resources of its origins. Add an origin under Edit.
      </Empty>
    )
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-end justify-between gap-3">
        <Labeled id={id} label="Show">
          <Select
            id={id}
            className="w-48"
            value={type}
            onChange={(event) => {
              const next = event.target.value === 'tools' ? undefined : event.target.value
              navigate({ to: '.', search: { ...search, type: next } as never, replace: true }).catch(() => {})
            }}
          >
            {TYPES.map((listed) => (
              <option key={listed.type} value={listed.type}>
                {listed.label}
              </option>
            ))}
          </Select>
        </Labeled>
        {isReadOnly ? (
          <Status state="off">Read-only</Status>
        ) : (
          <span className="flex flex-wrap items-center gap-3">
            {isDirty && <Status state="changed">Changed, not saved</Status>}
            {isDirty && <Button onClick={() => setEdited(null)}>Discard</Button>}
            <Button tone="primary" icon={Save} disabled={!isDirty} onClick={() => setSaving(true)}>
              Review and save
            </Button>
          </span>
        )}
      </div>
      {members.map((member, index) => (
        <MemberItems
          key={member.origin}
          member={member}
          type={type}
          isReadOnly={isReadOnly}
          onRules={(rules) =>
            setEdited(members.map((before, at) => (at === index ? withRules(before, type, rules) : before)))
          }
        />
      ))}
      {isSaving && (
        <Dialog title="Review and save" onClose={() => setSaving(false)} shape="wide">
          <ReviewWrite
            row={operation('virtual_mcps.update')!}
            input={{ id: slug, members }}
            slug={slug}
            expectedRevision={Number(value['revision'])}
            done="Saved"
            onBack={() => setSaving(false)}
            onDone={() => {
              setSaving(false)
              setEdited(null)
            }}
          />
        </Dialog>
      )}
    </div>
  )
}

function withRules(member: Member, type: CapabilityType, rules: Rules): Member {
  const { [type]: _, ...rest } = member.capability_policy
  const policy = rules === undefined ? rest : { ...rest, [type]: rules }
  return { ...member, capability_policy: policy as Member['capability_policy'] }
}

interface MemberItemsProps {
  readonly member: Member
  readonly type: CapabilityType
  readonly isReadOnly: boolean
  readonly onRules: (rules: Rules) => void
}

function MemberItems({ member, type, isReadOnly, onRules }: MemberItemsProps) {
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
            ? 'All items pass, also later ones'
            : summary === 'none'
              ? 'Nothing is shown'
              : 'Some items are shown'}
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
