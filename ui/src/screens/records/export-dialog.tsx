import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { useId, useState } from 'react'
import { client, type Fault, faultOf, operation } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { Review, useWrite, WaitsFor } from '../../forms/write.tsx'
import { saveFile } from '../../kit/browser.ts'
import { Button, Labeled, Select } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { FaultBox } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { counted } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { exportInput, RANGES } from './list-state.ts'

/** How often the state of an export is asked for, milliseconds. */
const AGAIN_MS = 1000
const FORMAT_DEFAULT = 'csv'

interface ExportDialogProps {
  readonly of: 'records' | 'audit'
  /** Filters of the list, by the names of REST. */
  readonly filters: Search
  readonly onClose: () => void
}

/** Writes the entries that a list shows to a file. */
export function ExportDialog({ of, filters, onClose }: ExportDialogProps) {
  return (
    <Dialog title={of === 'records' ? 'Export records' : 'Export audit entries'} onClose={onClose}>
      <Export of={of} filters={filters} />
    </Dialog>
  )
}

function Export({ of, filters }: Pick<ExportDialogProps, 'of' | 'filters'>) {
  const row = operation('exports.create')!
  const formatId = useId()
  const [format, setFormat] = useState(FORMAT_DEFAULT)
  const write = useWrite(row)
  const { state } = write
  useLeaveGuard(state.step !== 'done' && state.step !== 'waiting' && format !== FORMAT_DEFAULT)
  const input = exportInput(of, format, filters)
  const showAs = <ShowAs request={{ operation: row, input, options: {} }} />
  const set = Object.entries(input).filter(([name]) => name !== 'of' && name !== 'format')
  if (state.step === 'done') return <Ready id={(state.answer.body as { readonly id: string }).id} />
  if (state.step === 'waiting') return <WaitsFor change={state.change} />
  if (state.step === 'review' || state.step === 'conflict')
    return (
      <Review
        row={row}
        state={state}
        confirmWith={null}
        showAs={showAs}
        onBack={write.edit}
        onConfirm={(options) => write.confirm(input, options)}
      />
    )
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        write.review(input).catch(() => {})
      }}
    >
      <p>
        {set.length === 0
          ? 'The file contains all entries up to the maximum file size, newest first.'
          : 'The file contains the entries that match these filters:'}
      </p>
      <p className="flex flex-wrap gap-1">
        {set.map(([name, value]) => (
          <Badge key={name}>
            {name}: {String(value)}
          </Badge>
        ))}
      </p>
      <Labeled id={formatId} label="Format">
        <Select id={formatId} value={format} onChange={(event) => setFormat(event.target.value)}>
          <option value={FORMAT_DEFAULT}>CSV</option>
          <option value="ndjson">NDJSON, one JSON object per line</option>
        </Select>
      </Labeled>
      {state.step === 'editing' && state.fault !== null && <FaultBox fault={state.fault} />}
      <div className="flex flex-wrap items-center justify-between gap-2">
        {showAs}
        <Button type="submit" tone="primary" isBusy={state.step === 'asking'}>
          {write.hasDryRun ? 'Review the export' : 'Export'}
        </Button>
      </div>
    </form>
  )
}

/** The export is written; its file can be downloaded when it is ready. */
function Ready({ id }: { id: string }) {
  const [fault, setFault] = useState<Fault | null>(null)
  const query = useQuery({
    queryKey: ['exports.get', id],
    queryFn: async () => (await client.call('exports.get', { id })).body,
    refetchInterval: ({ state }) =>
      state.data === undefined || ['queued', 'running'].includes(state.data.state) ? AGAIN_MS : false,
  })
  const found = query.data
  const download = async (): Promise<void> => {
    try {
      const path = `/management/v1/exports/${encodeURIComponent(id)}/download`
      const answer = await fetch(path, { headers: { 'x-postern-console': '1' } })
      if (!answer.ok) throw new Error(`The download failed with status ${answer.status}.`)
      saveFile(`${found?.of ?? 'export'}-${id}.${found?.format ?? 'csv'}`, await answer.blob())
    } catch (error) {
      setFault(faultOf(error))
    }
  }
  return (
    <div className="flex flex-col items-start gap-3">
      {query.error !== null && <FaultBox fault={faultOf(query.error)} />}
      {found === undefined || found.state === 'queued' || found.state === 'running' ? (
        <Status state="pending">Writing the file</Status>
      ) : found.state === 'ready' ? (
        <>
          <Status state="ok">{`The file is ready: ${counted(found.rows, 'entry', 'entries')}`}</Status>
          {found.truncated && (
            <p>The result exceeds the maximum file size. The file contains the newest entries.</p>
          )}
          <Button tone="primary" icon={Download} onClick={() => void download()}>
            Download
          </Button>
        </>
      ) : (
        <Status state="bad">{found.error ?? found.state}</Status>
      )}
      {fault !== null && <FaultBox fault={fault} />}
      <Link to="/$resource" params={{ resource: 'exports' }} className="text-accent underline">
        All exports
      </Link>
    </div>
  )
}

/** Value of the choice that stands for other times than those of the list. */
const OTHER = 'other'

/** The time that a list shows. Exact times are filters `from` and `to`. */
export function RangeSelect({
  search,
  onChange,
}: {
  search: Search
  onChange: (change: Readonly<Record<string, string | undefined>>) => void
}) {
  const from = one(search['from']) ?? ''
  const isListed = search['to'] === undefined && (from === '' || RANGES.some((range) => range.from === from))
  return (
    <Select
      aria-label="Time range"
      className="w-40 text-sm"
      value={isListed ? from : OTHER}
      onChange={(event) =>
        onChange({ from: event.target.value === '' ? undefined : event.target.value, to: undefined })
      }
    >
      <option value="">Any time</option>
      {RANGES.map((range) => (
        <option key={range.from} value={range.from}>
          {range.label}
        </option>
      ))}
      {!isListed && (
        <option value={OTHER} disabled>
          From and to
        </option>
      )}
    </Select>
  )
}
