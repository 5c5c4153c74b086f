import { Plus, Trash2 } from 'lucide-react'
import { type ReactNode, useId, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { SchemaForm } from '../../forms/schema-form.tsx'
import { Chart } from '../../kit/chart.tsx'
import {
  Button,
  buttonClasses,
  Checkbox,
  IconButton,
  Labeled,
  Select,
  TextArea,
  TextInput,
  type Tone,
} from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Diff } from '../../kit/diff.tsx'
import { Figures, Meter } from '../../kit/figures.tsx'
import { Listbox } from '../../kit/listbox.tsx'
import { Card, Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Badge, type State, Status, say } from '../../kit/status.tsx'
import { CodeBlock, CopyButton, Time } from '../../kit/text.tsx'
import { Markdown } from '../../markdown/markdown.tsx'
import { fieldsOf } from '../../schema/fields.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { Cell, Details } from '../../tables/details.tsx'
import { CHART, DIFF, ERRORS, FAULT, FIGURES, LOADED, LONG, MARKDOWN, ROWS, SCHEMA } from './parts.ts'

const TONES: readonly Tone[] = ['primary', 'plain', 'quiet', 'danger']
const STATES: readonly State[] = ['ok', 'warn', 'bad', 'draft', 'off', 'pending', 'changed', 'blocked']
const SHAPES = ['middle', 'wide', 'side'] as const
const FIELDS = fieldsOf(SCHEMA, {})
/** The time that is shown, and the moment from which it is told. */
const NOW = Date.parse('2026-03-01T12:00:00Z')

/** Every part of the kit in every state, in the theme that is chosen. Tests compare both themes with what they were. */
export default function Kit() {
  return (
    <Page name="Kit" title="Kit" lead="Every part that the console is made of, in every state.">
      <div className="grid gap-4 grid-cols-1 lg:grid-cols-2">
        <Buttons />
        <Words />
        <Inputs />
        <Shown />
        <States />
        <Overlays />
        <Numbers />
        <Tables />
        <Forms />
      </div>
    </Page>
  )
}

/** A part with its name, for tests. */
function Part({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div data-part={name} className="min-w-0">
      {children}
    </div>
  )
}

function Buttons() {
  return (
    <Card title="Buttons">
      <div className="flex flex-wrap items-center gap-2">
        {TONES.map((tone) => (
          <Part key={tone} name={`button ${tone}`}>
            <Button tone={tone}>{tone}</Button>
          </Part>
        ))}
        <Part name="button small">
          <Button isSmall icon={Plus}>
            small
          </Button>
        </Part>
        <Part name="button disabled">
          <Button disabled>disabled</Button>
        </Part>
        <Part name="button busy">
          <Button tone="primary" isBusy>
            busy
          </Button>
        </Part>
        <Part name="button of an icon">
          <IconButton icon={Trash2} label="Remove" />
        </Part>
        <Part name="link as a button">
          <a href="/console/kit" className={buttonClasses('plain')}>
            a link in the look of a button
          </a>
        </Part>
        <Part name="copy">
          <CopyButton text="orders" />
        </Part>
      </div>
    </Card>
  )
}

function Words() {
  return (
    <Card title="States and badges">
      <div className="flex flex-wrap items-center gap-3">
        {STATES.map((state) => (
          <Part key={state} name={`status ${state}`}>
            <Status state={state}>{state}</Status>
          </Part>
        ))}
        {(['plain', 'accent', 'dashed'] as const).map((tone) => (
          <Part key={tone} name={`badge ${tone}`}>
            <Badge tone={tone}>{tone}</Badge>
          </Part>
        ))}
        <Part name="time">
          <Time value="2026-03-01T11:57:00Z" now={NOW} />
        </Part>
      </div>
      <div className="mt-3 flex flex-col gap-2">
        {(['ok', 'warn', 'bad'] as const).map((tone, index) => (
          <Part key={tone} name={`meter ${tone}`}>
            <Meter label={`${tone} of 3`} value={index + 1} max={3} tone={tone} />
          </Part>
        ))}
      </div>
    </Card>
  )
}

function Inputs() {
  const id = useId()
  const [text, setText] = useState('orders')
  const change = (event: { readonly target: { readonly value: string } }): void => setText(event.target.value)
  return (
    <Card title="Inputs">
      <div className="flex flex-col gap-3">
        <Part name="labeled input">
          <Labeled id={`${id}a`} label="Name" hint="A hint" isRequired isChanged>
            <TextInput id={`${id}a`} value={text} onChange={change} />
          </Labeled>
        </Part>
        <Part name="labeled input with a fault">
          <Labeled id={`${id}b`} label="Base path" error="must begin with a slash">
            <TextInput id={`${id}b`} aria-invalid value={text} onChange={change} />
          </Labeled>
        </Part>
        <Part name="input disabled">
          <TextInput aria-label="Disabled" disabled value={LONG} />
        </Part>
        <Part name="select">
          <Select aria-label="Kind" value={text} onChange={change}>
            <option>orders</option>
            <option>payments</option>
          </Select>
        </Part>
        <Part name="area">
          <TextArea aria-label="Description" value={text} onChange={change} />
        </Part>
        <Part name="checkbox">
          <Checkbox label="Active" hint="What it does" defaultChecked />
        </Part>
        <Part name="listbox">
          <Listbox
            id={`${id}c`}
            isOpen
            isStatic
            onPick={() => {}}
            onClose={() => {}}
            options={[
              { value: 'orders', label: 'orders', hint: 'collection' },
              { value: 'long', label: LONG, hint: 'collection' },
            ]}
          >
            {(attributes) => (
              <TextInput
                {...attributes}
                aria-label="Search"
                value={text}
                onChange={change}
                onBlur={() => {}}
              />
            )}
          </Listbox>
        </Part>
      </div>
    </Card>
  )
}

function Shown() {
  return (
    <Card title="What is shown">
      <div className="flex flex-col gap-3">
        <Part name="code">
          <CodeBlock label="curl" text={`curl https://api.example.com/orders/v1/7\n${LONG}`} />
        </Part>
        <Part name="difference">
          <Diff entries={DIFF} />
        </Part>
        <Part name="no difference">
          <Diff entries={[]} />
        </Part>
        <Part name="markdown">
          <Markdown text={MARKDOWN} />
        </Part>
        <Part name="details">
          <Details
            value={{ name: LONG, upstream: { targets: [{ url: 'http://orders.internal' }] }, tags: [] }}
          />
        </Part>
      </div>
    </Card>
  )
}

function States() {
  return (
    <Card title="Instead of content">
      <div className="flex flex-col gap-3">
        <Part name="empty">
          <Empty title="No collections yet" action={<Button tone="primary">New collection</Button>}>
            A collection is an API product.
          </Empty>
        </Part>
        <Part name="failure">
          <FaultBox fault={FAULT} retry={() => {}} />
        </Part>
        <Part name="forbidden">
          <Forbidden permission="collections:read" />
        </Part>
        <Part name="loading">
          <SkeletonRows rows={3} />
        </Part>
      </div>
    </Card>
  )
}

function Overlays() {
  const [open, setOpen] = useState<(typeof SHAPES)[number] | null>(null)
  return (
    <Card title="Over the page">
      <div className="flex flex-wrap gap-2">
        {SHAPES.map((shape) => (
          <Button key={shape} onClick={() => setOpen(shape)}>
            Dialog, {shape}
          </Button>
        ))}
        <Button onClick={() => say('ok', 'Saved')}>Message</Button>
      </div>
      {open !== null && (
        <Dialog title={`Dialog, ${open}`} shape={open} onClose={() => setOpen(null)}>
          <p>{LONG}</p>
        </Dialog>
      )}
    </Card>
  )
}

function Numbers() {
  return (
    <Card title="Numbers" className="lg:col-span-2">
      <div className="flex flex-col gap-4">
        <Part name="figures">
          <Figures figures={FIGURES} isLoading={false} />
        </Part>
        <Part name="figures that load">
          <Figures figures={FIGURES} isLoading />
        </Part>
        <Part name="chart">
          <Chart
            {...CHART}
            format={(value) => `${value} ms`}
            onBrush={(from, to) => say('ok', `${from} to ${to}`)}
          />
        </Part>
      </div>
    </Card>
  )
}

function Tables() {
  return (
    <Card title="Table" className="lg:col-span-2">
      <Part name="table">
        <div className="flex h-50 flex-col">
          <DataTable
            label="Rows"
            columns={[
              { name: 'name', label: 'Name', render: ({ name }) => name },
              {
                name: 'methods',
                label: 'Methods',
                render: ({ methods }) => <Cell name="methods" value={methods} />,
              },
              {
                name: 'status',
                label: 'Status',
                width: 120,
                render: ({ status }) => <Cell name="status" value={status} />,
              },
              {
                name: 'requests',
                label: 'Requests',
                width: 120,
                isNumber: true,
                render: ({ requests }) => <Cell name="requests" value={requests} />,
              },
            ]}
            items={ROWS}
            keyOf={({ id }) => id}
            linkOf={() => ({ to: '/kit' })}
            selected="long"
          />
        </div>
      </Part>
    </Card>
  )
}

function Forms() {
  const [value, setValue] = useState<JsonObject>({ ...LOADED, name: 'Orders of all shops' })
  return (
    <Card title="Fields of forms" className="lg:col-span-2">
      <div className="grid gap-6 grid-cols-1 lg:grid-cols-2">
        <Part name="form">
          <SchemaForm fields={FIELDS} value={value} loaded={LOADED} onChange={setValue} errors={ERRORS} />
        </Part>
        <Part name="form that is only read">
          <SchemaForm fields={FIELDS} value={LOADED} onChange={() => {}} isReadOnly />
        </Part>
      </div>
    </Card>
  )
}
