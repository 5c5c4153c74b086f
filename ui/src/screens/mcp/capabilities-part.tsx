import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Save } from 'lucide-react'
import { useId, useState } from 'react'
import { operation, useMay } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { setOf } from '../../forms/actions.ts'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button, buttonClasses, Labeled, Select } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Empty } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { isEqual } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { ADD_SERVER } from '../ways.ts'
import { type CapabilityType, type Member, TYPES } from './capability.ts'
import { MemberItems } from './member-items.tsx'
import type { Rules } from './selection.ts'

/** What callers get from each origin: boxes show what is selected now, by the rules of the virtual MCP. */
export default function CapabilitiesPart({ slug, value }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const may = useMay()
  const id = useId()
  const stored = value['members'] as unknown as readonly Member[]
  const [edited, setEdited] = useState<readonly Member[] | null>(null)
  const [isSaving, setSaving] = useState(false)
  const [isRequested, setRequested] = useState(false)
  const members = edited ?? stored
  const isDirty = edited !== null && !isEqual(edited as never, stored as never)
  useLeaveGuard(isDirty && !isRequested)
  const isReadOnly = setOf(value['managed_by']) !== null || !may('virtual_mcps.update')
  const type = TYPES.find((listed) => listed.type === one(search['type']))?.type ?? 'tools'
  if (members.length === 0)
    return (
      <Empty
        title="No origin yet"
        action={
          <>
            {!isReadOnly && (
              <>
                <Link to={ADD_SERVER.to} className={buttonClasses('primary')}>
                  {ADD_SERVER.label}
                </Link>
                <Link to="." search={{ tab: 'edit' } as never} className={buttonClasses()}>
                  Use an origin
                </Link>
              </>
            )}
            <ShowAs
              request={{
                operation: operation('virtual_mcps.update')!,
                input: { id: slug, members: [] },
                options: {},
              }}
            />
          </>
        }
      >
        A virtual MCP shows the tools, prompts and resources of its origins.
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
          onRules={(rules) => {
            setRequested(false)
            setEdited(members.map((before, at) => (at === index ? withRules(before, type, rules) : before)))
          }}
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
            onWaiting={() => setRequested(true)}
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
