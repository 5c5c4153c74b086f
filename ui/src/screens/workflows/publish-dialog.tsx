import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useId, useState } from 'react'
import { faultOf, operation, refreshPage, useCall, useMay } from '../../api/client.ts'
import { RefInput } from '../../forms/ref-input.tsx'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button, Labeled, Select, TextInput } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status, stateOf } from '../../kit/status.tsx'
import { itemized } from './history.ts'
import type { Editor } from './use-editor.ts'

/** Puts a workflow into force: a proxy is given the workflow, and the proxy is published. Each step shows its difference. */
export function PublishDialog({ editor, onClose }: { editor: Editor; onClose: () => void }) {
  const { base, isDirty } = editor
  const [text, setText] = useState(base.proxies[0] ?? '')
  const id = useId()
  const may = useMay()
  const isRef = /^[^:\s]+:[^:\s]+$/.test(text)
  return (
    <Dialog title="Publish" onClose={onClose} shape="wide">
      <div className="flex flex-col gap-4">
        {isDirty && (
          <Status state="changed" className="whitespace-normal">
            Your changes are not saved. Calls run the saved revision.
          </Status>
        )}
        <p className="text-muted">
          A proxy runs the workflow in place of its upstream. If a published proxy names a shared workflow,
          each saved change applies from the next call.
        </p>
        {!base.isInline && (
          <Labeled id={id} label="Proxy" hint="Collection and proxy, such as orders:checked">
            <RefInput id={id} data-autofocus resource="proxies" value={text} onValue={setText} isPickOnly />
          </Labeled>
        )}
        {!base.isInline && !isRef && may('proxies.create') && (
          <NewProxy workflow={base.slug} onCreated={setText} />
        )}
        {isRef && <Steps key={text} editor={editor} proxy={text} />}
      </div>
    </Dialog>
  )
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** A proxy that is made for the workflow: a draft, which the next step publishes. */
function NewProxy({ workflow, onCreated }: { workflow: string; onCreated: (proxy: string) => void }) {
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  const [collection, setCollection] = useState('')
  const [method, setMethod] = useState<string>(METHODS[0])
  const [path, setPath] = useState('/')
  const [isMaking, setMaking] = useState(false)
  const row = operation('proxies.create')!
  if (!isOpen)
    return (
      <div>
        <Button icon={Plus} onClick={() => setOpen(true)}>
          New proxy for this workflow
        </Button>
      </div>
    )
  if (isMaking)
    return (
      <ReviewWrite
        isSeen
        row={row}
        input={{ collection, name: workflow, methods: [method], path, workflow }}
        slug=""
        expectedRevision={undefined}
        done="The proxy is created"
        onBack={() => setMaking(false)}
        onDone={({ body }) => {
          const { slug } = body as unknown as { readonly slug: string }
          onCreated(`${collection}:${slug}`)
        }}
      />
    )
  return (
    <form
      aria-label="New proxy"
      className="flex flex-col gap-3 rounded-md border border-line p-3"
      onSubmit={(event) => {
        event.preventDefault()
        setMaking(true)
      }}
    >
      <Labeled id={`${id}collection`} label="Collection" isRequired>
        <RefInput
          id={`${id}collection`}
          resource="collections"
          required
          value={collection}
          onValue={setCollection}
          isPickOnly
        />
      </Labeled>
      <div className="flex flex-wrap gap-3">
        <Labeled id={`${id}method`} label="Method">
          <Select id={`${id}method`} value={method} onChange={(event) => setMethod(event.target.value)}>
            {METHODS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </Select>
        </Labeled>
        <div className="min-w-60 flex-1">
          <Labeled id={`${id}path`} label="Path" hint="Below the base path of the collection" isRequired>
            <TextInput
              id={`${id}path`}
              required
              className="font-mono"
              aria-describedby={`${id}path-hint`}
              value={path}
              onChange={(event) => setPath(event.target.value)}
            />
          </Labeled>
        </div>
      </div>
      <div className="flex justify-end gap-2">
        <Button onClick={() => setOpen(false)}>Cancel</Button>
        <Button type="submit" tone="primary" disabled={collection === ''}>
          Create the proxy
        </Button>
      </div>
    </form>
  )
}

function Steps({ editor, proxy }: { editor: Editor; proxy: string }) {
  const { base } = editor
  const may = useMay()
  const queries = useQueryClient()
  const [step, setStep] = useState<'set' | 'publish' | null>(null)
  const workflow = useCall('proxies.workflow', { id: proxy })
  const item = useCall('proxies.get', { id: proxy })
  const fault = workflow.error ?? item.error
  if (fault !== null)
    return (
      <FaultBox
        fault={faultOf(fault)}
        retry={() => {
          workflow.refetch().catch(() => {})
          item.refetch().catch(() => {})
        }}
      />
    )
  if (workflow.data === undefined || item.data === undefined) return <SkeletonRows rows={3} />
  const { workflow: named, definition } = workflow.data
  const isSet = base.isInline || named === base.slug
  const hasDraft = item.data.pending_draft !== undefined
  const isLive = workflow.data.status === 'published' && !hasDraft
  const refresh = (): void => {
    setStep(null)
    refreshPage(queries).catch(() => {})
  }
  if (step !== null) {
    const row = operation(step === 'set' ? 'proxies.set_workflow' : 'proxies.publish')!
    const input =
      step === 'set' ? { id: proxy, workflow: base.slug } : { id: proxy, status: 'published' as const }
    return (
      <ReviewWrite
        shownAs={itemized}
        key={step}
        row={row}
        input={input}
        slug={proxy}
        expectedRevision={item.data.revision}
        done={step === 'set' ? 'The proxy has the workflow' : 'Published'}
        onBack={() => setStep(null)}
        onDone={refresh}
      />
    )
  }
  const before = named !== null ? `It runs the workflow ${named}.` : 'It runs a workflow of its own.'
  return (
    <ol className="flex flex-col gap-3">
      <li className="flex flex-wrap items-center justify-between gap-2 rounded-md border border-line p-3">
        <span>
          {isSet ? (
            <Status state="ok">{`${proxy} has this workflow`}</Status>
          ) : (
            <>
              <Status state="off">{`${proxy} does not run this workflow`}</Status>{' '}
              {(named !== null || definition !== null) && <span className="text-muted">{before}</span>}
            </>
          )}
        </span>
        {!isSet && may('proxies.set_workflow') && (
          <Button data-autofocus tone="primary" onClick={() => setStep('set')}>
            Set the workflow
          </Button>
        )}
      </li>
      <li className="flex flex-wrap items-center justify-between gap-2 rounded-md border border-line p-3">
        <span>
          <Status state={isLive ? 'ok' : (stateOf('draft') ?? 'draft')}>
            {isLive ? 'Published' : hasDraft ? 'Published, with a draft' : 'Draft'}
          </Status>{' '}
          {isLive && isSet && !workflow.data.runs && (
            <span className="text-muted">The collection is not published, so no calls reach it.</span>
          )}
        </span>
        {isSet && !isLive && (
          <span className="text-muted">After you publish it, callers can reach it at once.</span>
        )}
        {isSet && !isLive && may('proxies.publish') && (
          <Button tone="primary" onClick={() => setStep('publish')}>
            Publish the proxy
          </Button>
        )}
        {isLive && isSet && workflow.data.runs && (
          <Link
            to="/$resource/$id"
            params={{ resource: 'proxies', id: proxy }}
            className="text-accent underline"
          >
            Open the proxy
          </Link>
        )}
      </li>
    </ol>
  )
}
