import { Link, useNavigate } from '@tanstack/react-router'
import { RefreshCw } from 'lucide-react'
import { useId, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, operation, useCall, useMay, useSchemas, useSession } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { RefInput } from '../../forms/ref-input.tsx'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button, Checkbox, Labeled, TextInput } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { itemOf, type Member } from '../mcp/capability.ts'
import { MemberItems, SHOWN } from '../mcp/member-items.tsx'
import { harmless, type Rules } from '../mcp/selection.ts'

/** Modes in which the catalogue is read with an account that somebody connects. */
const CONNECTED = new Set(['user_oauth', 'shared_oauth', 'user_key'])

/** The tools of an origin are chosen, and put into a virtual MCP: a new one, or one that exists. */
export function PickTools({ slug }: { slug: string }) {
  const origin = useCall('origins.get', { id: slug })
  const tools = useCall('origins.catalog', { id: slug, type: 'tools', limit: 1 })
  const schemas = useSchemas('origins')
  const session = useSession()
  const fault = origin.error ?? tools.error
  if (fault !== null) return <FaultBox fault={faultOf(fault)} retry={() => void origin.refetch()} />
  if (origin.data === undefined || tools.data === undefined) return <SkeletonRows rows={8} />
  const { name, auth_mode } = origin.data
  const isRead = tools.data.protocol !== null || origin.data.kind === 'collection'
  return (
    <div className="flex max-w-220 flex-col gap-4">
      <p>
        <Status state="ok">Created</Status>{' '}
        <Link to="/$resource/$id" params={{ resource: 'origins', id: slug }} className="underline">
          Open the origin {name}
        </Link>
      </p>
      {!isRead && (
        <Card
          title="4. Connect"
          actions={
            schemas != null && (
              <RunButton
                name="origins.refresh_catalog"
                label="Read the catalogue"
                icon={RefreshCw}
                schemas={schemas}
                value={origin.data as unknown as JsonObject}
                slug={slug}
              />
            )
          }
        >
          <p>
            Postern has no catalogue of this origin yet.{' '}
            {CONNECTED.has(auth_mode) ? (
              <>
                <a
                  href={`${session?.instance.gateway_url ?? ''}/connect/${slug}`}
                  target="_blank"
                  rel="noreferrer"
                  className="underline"
                >
                  Connect an account
                </a>
                , then read the catalogue.
              </>
            ) : (
              'Read it when the server responds.'
            )}
          </p>
        </Card>
      )}
      {isRead && <Choose slug={slug} name={name} />}
    </div>
  )
}

function Choose({ slug, name }: { slug: string; name: string }) {
  const id = useId()
  const may = useMay()
  const [chosen, setChosen] = useState<{ readonly rules: Rules } | null>(null)
  const listed = useCall('origins.catalog', { id: slug, type: 'tools', limit: SHOWN })
  const [existing, setExisting] = useState('')
  const [isNew, setNew] = useState(true)
  const [title, setTitle] = useState(name)
  const [isPublished, setPublished] = useState(false)
  const [isForAll, setForAll] = useState(false)
  const [isReviewing, setReviewing] = useState(false)
  const [isRequested, setRequested] = useState(false)
  // Until somebody chooses, nothing passes that writes or reveals
  const rules =
    chosen === null ? harmless((listed.data?.items ?? []).map((item) => itemOf('tools', item))) : chosen.rules
  const isEdited = chosen !== null || existing !== '' || title !== name || isPublished || isForAll
  useLeaveGuard(isEdited && !isRequested)
  const member: Member = {
    origin: slug,
    active: true,
    required: false,
    capability_policy: (rules === undefined ? {} : { tools: rules }) as Member['capability_policy'],
  }
  const target = useCall('virtual_mcps.get', { id: existing }, { enabled: !isNew && existing !== '' })
  const row = operation(isNew ? 'virtual_mcps.create' : 'virtual_mcps.update')!
  const sent = { origin: slug, ...(rules !== undefined && { capability_policy: { tools: rules } }) }
  const before = target.data?.members.filter(({ origin }) => origin !== slug)
  const input = isNew
    ? {
        name: title.trim(),
        members: [sent],
        ...(isPublished && { status: 'published' }),
        ...(isForAll && { all_users: true }),
      }
    : { id: existing, members: [...(before ?? []), sent] }
  const isReady = listed.data === undefined ? false : isNew ? title.trim() !== '' : before !== undefined
  if (!may('virtual_mcps.create') && !may('virtual_mcps.update'))
    return (
      <p className="text-muted">A person with permission to change virtual MCPs can now use this origin.</p>
    )
  return (
    <>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          setReviewing(true)
        }}
      >
        <Card title="4. Tools">
          <p className="mb-3 text-muted">
            Tools that only read are selected. Tools that may write or reveal secrets are marked: select those
            that callers need.
          </p>
          <MemberItems
            member={member}
            type="tools"
            isReadOnly={false}
            onRules={(next) => setChosen({ rules: next })}
          />
        </Card>
        <Card title="5. Virtual MCP">
          <div className="flex flex-col gap-3">
            <div role="radiogroup" aria-label="Virtual MCP" className="flex flex-wrap gap-4">
              {[true, false].map((way) => (
                <label key={String(way)} className="flex min-h-6 items-center gap-2">
                  <input
                    type="radio"
                    name={`${id}way`}
                    className="size-4 accent-accent"
                    checked={isNew === way}
                    onChange={() => setNew(way)}
                  />
                  {way ? 'New' : 'Existing'}
                </label>
              ))}
            </div>
            {isNew ? (
              <>
                <Labeled id={`${id}title`} label="Name" isRequired>
                  <TextInput
                    id={`${id}title`}
                    required
                    value={title}
                    onChange={(event) => setTitle(event.target.value)}
                  />
                </Labeled>
                <Checkbox
                  label="Publish it now"
                  hint="Drafts cannot be called."
                  checked={isPublished}
                  onChange={(event) => setPublished(event.target.checked)}
                />
                <Checkbox
                  label="Share it with all users"
                  hint="Otherwise only clients, hosts and teams that you add to it later can call it."
                  checked={isForAll}
                  onChange={(event) => setForAll(event.target.checked)}
                />
              </>
            ) : (
              <Labeled
                id={`${id}existing`}
                label="Virtual MCP"
                hint="Its other origins keep their rules."
                isRequired
              >
                <RefInput
                  id={`${id}existing`}
                  resource="virtual_mcps"
                  value={existing}
                  aria-describedby={`${id}existing-hint`}
                  onValue={setExisting}
                  isPickOnly
                />
              </Labeled>
            )}
            {target.error !== null && <FaultBox fault={faultOf(target.error)} />}
            <div className="flex flex-wrap items-center justify-between gap-2">
              <ShowAs request={{ operation: row, input, options: {} }} />
              <Button type="submit" tone="primary" disabled={!isReady}>
                {isNew ? 'Create the virtual MCP' : 'Review the virtual MCP'}
              </Button>
            </div>
          </div>
        </Card>
      </form>
      {isReviewing && (
        <Reviewed
          {...{ row, input, isNew }}
          revision={target.data?.revision}
          onBack={() => setReviewing(false)}
          onWaiting={() => setRequested(true)}
        />
      )}
    </>
  )
}

interface ReviewedProps {
  readonly row: NonNullable<ReturnType<typeof operation>>
  readonly input: Readonly<Record<string, unknown>>
  readonly isNew: boolean
  readonly revision: number | undefined
  readonly onBack: () => void
  /** Told if the virtual MCP became a change request. */
  readonly onWaiting: () => void
}

function Reviewed({ row, input, isNew, revision, onBack, onWaiting }: ReviewedProps) {
  const navigate = useNavigate()
  return (
    <Dialog title={isNew ? 'Create the virtual MCP' : 'Review the virtual MCP'} onClose={onBack} shape="wide">
      <ReviewWrite
        row={row}
        input={input}
        slug={isNew ? '' : String(input['id'])}
        expectedRevision={isNew ? undefined : revision}
        isSeen={isNew}
        done={isNew ? 'The virtual MCP is created' : 'The origin is added'}
        onBack={onBack}
        onWaiting={onWaiting}
        onDone={({ body }) => {
          const id = String((body as unknown as JsonObject)['slug'])
          const to = '/$resource/$id'
          const search = { tab: 'connect' } as never
          // What was chosen is stored
          const ignoreBlocker = true
          navigate({ to, params: { resource: 'virtual_mcps', id }, search, ignoreBlocker }).catch(() => {})
        }}
      />
    </Dialog>
  )
}
