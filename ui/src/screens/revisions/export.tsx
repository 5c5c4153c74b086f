import { useNavigate, useSearch } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { useId, useState } from 'react'
import { faultOf, type Input, operation, useCall, useMay } from '../../api/client.ts'
import { one } from '../../app/search.ts'
import { saveFile } from '../../kit/browser.ts'
import { Button, Labeled, TextInput } from '../../kit/controls.tsx'
import { Card, Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { CodeBlock } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { yamlTextOf } from '../../show-as/yaml-text.ts'

const TITLE = 'Export the configuration'
const FILE = 'postern.yaml'
/** Characters of the file that the page shows. A browser lays out longer text slowly. */
const SHOWN_MAX = 100_000

/** The configuration as a YAML file, to copy or download. The address holds the selection. */
export default function ExportConfig() {
  const may = useMay()
  if (may('config.export')) return <Exported />
  return (
    <Page name={TITLE} title={TITLE}>
      <Forbidden permission={operation('config.export')!.permission} />
    </Page>
  )
}

function Exported() {
  const navigate = useNavigate()
  const search = useSearch({ strict: false })
  const select = [search['select'] ?? []].flat().map(String)
  const managedBy = one(search['managed_by'])
  const input: Input<'config.export'> = {
    ...(select.length > 0 && { select }),
    ...(managedBy !== undefined && { managed_by: managedBy }),
  }
  const query = useCall('config.export', input)
  const documents = query.data?.documents
  const text = documents === undefined ? '' : yamlTextOf(documents)
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="The configuration as documents in YAML, without secrets. Apply the file here or to another instance."
      actions={
        <>
          <ShowAs request={{ operation: operation('config.export')!, input, options: {} }} />
          <Button
            tone="primary"
            icon={Download}
            disabled={text === ''}
            onClick={() => saveFile(FILE, new Blob([text], { type: 'application/yaml' }))}
          >
            Download
          </Button>
        </>
      }
    >
      <Selection key={JSON.stringify(input)} select={select} managedBy={managedBy ?? ''} />
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={12} />}
      {query.data?.set_elsewhere.map(({ item, field }) => (
        <p key={`${item} ${field}`} className="break-words">
          <Status state="warn">Secret left out</Status> <code className="break-all">{item}</code>: only this
          instance stores the secret <code>{field}</code>.
        </p>
      ))}
      {documents?.length === 0 &&
        (Object.keys(input).length > 0 ? (
          <Empty
            title="No resources match the selection"
            action={<Button onClick={() => void navigate({ to: '.', search: {} })}>Export all</Button>}
          />
        ) : (
          <Empty title="No configuration yet">
            The file contains everything that you add to the gateway.
          </Empty>
        ))}
      {text !== '' && (
        <Card title={FILE}>
          {text.length > SHOWN_MAX && (
            <p className="mb-2 text-muted">
              The page shows the first {SHOWN_MAX.toLocaleString('en')} of {text.length.toLocaleString('en')}{' '}
              characters. Copy and Download include the whole file.
            </p>
          )}
          <CodeBlock label={FILE} text={text} shownMax={SHOWN_MAX} />
        </Card>
      )}
    </Page>
  )
}

/** Which resources are exported. Without a selection: all. */
function Selection({ select, managedBy }: { select: readonly string[]; managedBy: string }) {
  const id = useId()
  const navigate = useNavigate()
  const [items, setItems] = useState(select.join(' '))
  const [set, setSet] = useState(managedBy)
  return (
    <form
      className="flex max-w-200 flex-wrap items-end gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        const chosen = items.split(/[\s,]+/).filter((item) => item !== '')
        const search = {
          ...(chosen.length > 0 && { select: chosen }),
          ...(set !== '' && { managed_by: set }),
        }
        navigate({ to: '.', search: search as never }).catch(() => {})
      }}
    >
      <div className="min-w-60 flex-1">
        <Labeled id={`${id}select`} label="Resources">
          <TextInput
            id={`${id}select`}
            value={items}
            placeholder="all, or such as collection/orders policy"
            onChange={(event) => setItems(event.target.value)}
          />
        </Labeled>
      </div>
      <div className="min-w-40 flex-1">
        <Labeled id={`${id}set`} label="Name of the set">
          <TextInput
            id={`${id}set`}
            value={set}
            placeholder="any"
            onChange={(event) => setSet(event.target.value)}
          />
        </Labeled>
      </div>
      <Button type="submit">Select</Button>
    </form>
  )
}
