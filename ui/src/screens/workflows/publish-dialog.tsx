import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useId, useState } from 'react'
import { faultOf, operation, refreshPage, useCall, useMay } from '../../api/client.ts'
import { RefInput } from '../../forms/ref-input.tsx'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button, Labeled } from '../../kit/controls.tsx'
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
          A proxy runs the workflow in the place of its upstream. A shared workflow is in force with the next
          call once a published proxy names it.
        </p>
        {!base.isInline && (
          <Labeled id={id} label="Proxy" hint="Collection and proxy, such as orders:checked">
            <RefInput id={id} data-autofocus resource="proxies" value={text} onValue={setText} isPickOnly />
          </Labeled>
        )}
        {isRef && <Steps key={text} editor={editor} proxy={text} />}
      </div>
    </Dialog>
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
