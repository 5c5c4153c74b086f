import { useNavigate, useSearch } from '@tanstack/react-router'
import { Play, Square } from 'lucide-react'
import { useEffect, useId, useRef, useState } from 'react'
import type { Json, JsonObject } from '../../../../build/document.ts'
import { type Fault, faultOf } from '../../../api/client.ts'
import { one, type Search } from '../../../app/search.ts'
import { SchemaForm } from '../../../forms/schema-form.tsx'
import { Button, Labeled, Select, TextArea, TextInput } from '../../../kit/controls.tsx'
import { Card, Empty } from '../../../kit/page.tsx'
import { Status } from '../../../kit/status.tsx'
import { classes } from '../../../kit/style.ts'
import { HiddenNote, HiddenText, Time } from '../../../kit/text.tsx'
import { counted } from '../../../schema/value.ts'
import type { PartProps } from '../../hand-made.ts'
import { Caller, type Connected } from './caller.tsx'
import type { Tool } from './connection.ts'
import { bounded, ENTRIES_MAX, type Entry, labelOfMessage, wordOf } from './entry.ts'
import { ERAS, type Era, headersOf, replyTo, requestOf } from './message.ts'
import { Result } from './result.tsx'
import { formsOf } from './tool-form.ts'

/**
 * Calls the virtual MCP as an application would, as oneself or with the token of a profile. Era, tool and form stand in the address;
 * tokens, arguments and the history are in memory alone.
 */
export default function TesterPart({ slug, value }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const era: Era = one(search['era']) === 'legacy' ? 'legacy' : 'modern'
  const isRaw = one(search['form']) === 'raw'
  const [connected, setConnected] = useState<Connected | null>(null)
  const [entries, setEntries] = useState<readonly Entry[]>([])
  const [shown, setShown] = useState<number | null>(null)
  const [raw, setRaw] = useState('')
  /** Messages under way; the answer to a question is sent beside the call that asked it. */
  const running = useRef(new Set<AbortController>())
  const count = useRef(0)
  const change = (changes: Readonly<Record<string, string | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: true }).catch(() => {})
  }
  const stop = (): void => {
    for (const abort of running.current) abort.abort()
  }
  useEffect(() => {
    const left = connected?.connection
    return () => {
      stop()
      left?.leave().catch(() => {})
    }
  }, [connected])

  const nextId = (): number => count.current + 1
  async function send(message: Json, inputSchema: JsonObject | null): Promise<void> {
    if (connected === null) return
    const id = ++count.current
    const at = Date.now()
    const update = (changes: Partial<Entry>): void =>
      setEntries((before) =>
        bounded(before.map((entry) => (entry.id === id ? { ...entry, ...changes } : entry))),
      )
    const entry: Entry = {
      id,
      at,
      era: connected.era,
      message,
      headers: headersOf(connected.era, message, inputSchema),
      ms: null,
      status: 0,
      requestId: null,
      messages: [],
      left: 0,
      fault: null,
    }
    setEntries((before) => [entry, ...before].slice(0, ENTRIES_MAX))
    setShown(id)
    const abort = new AbortController()
    running.current.add(abort)
    try {
      update(
        await connected.connection.send(message, { inputSchema, signal: abort.signal, onMessages: update }),
      )
    } catch (error) {
      const fault = abort.signal.aborted ? STOPPED : faultOf(error)
      update({ fault, requestId: fault.requestId })
    } finally {
      update({ ms: Date.now() - at })
      running.current.delete(abort)
    }
  }

  const entry = entries.find(({ id }) => id === shown) ?? null
  const tool = connected?.tools.find(({ name }) => name === one(search['tool'])) ?? null
  const isUnderWay = entries.some(({ ms }) => ms === null)
  const edit = (message: Json): void => {
    setRaw(JSON.stringify(message, null, 2))
    change({ form: 'raw' })
  }
  return (
    <div className="flex flex-col gap-4">
      {value['status'] === 'draft' && (
        <Status state="draft" className="whitespace-normal">
          Drafts cannot be called. Publish the virtual MCP first.
        </Status>
      )}
      <Caller
        key={slug}
        slug={slug}
        era={era}
        onEra={(next) => change({ era: next === 'modern' ? undefined : next })}
        connected={connected}
        onConnected={setConnected}
      />
      {connected !== null && (
        <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-[280px_minmax(0,1fr)]">
          <Tools
            tools={connected.tools}
            chosen={tool?.name ?? null}
            onChoose={(name) => change({ tool: name, form: undefined })}
          />
          <div className="flex min-w-0 flex-col gap-4">
            <Card
              title={isRaw || tool === null ? 'A message' : <HiddenText text={tool.name} />}
              actions={
                <Forms
                  isRaw={isRaw || tool === null}
                  hasForm={tool !== null}
                  onForm={() => change({ form: undefined })}
                  onRaw={() => {
                    if (raw === '') setRaw(JSON.stringify(first(connected.era, tool, nextId()), null, 2))
                    change({ form: 'raw' })
                  }}
                />
              }
            >
              {isRaw || tool === null ? (
                <RawForm
                  text={raw}
                  onText={setRaw}
                  isBusy={isUnderWay}
                  onSend={(message) => void send(message, tool?.inputSchema ?? null)}
                />
              ) : (
                <ToolCall
                  key={tool.name}
                  tool={tool}
                  isBusy={isUnderWay}
                  onCall={(args) =>
                    void send(
                      requestOf(connected.era, nextId(), 'tools/call', { name: tool.name, arguments: args }),
                      tool.inputSchema,
                    )
                  }
                />
              )}
            </Card>
            {isUnderWay && (
              <div className="flex items-center gap-3" role="status">
                <Status state="pending">Under way</Status>
                <Button isSmall icon={Square} onClick={stop}>
                  Stop
                </Button>
              </div>
            )}
            <div aria-live="polite" className="min-w-0">
              {entry !== null && (
                <Result
                  entry={entry}
                  slug={slug}
                  onEdit={() => edit(entry.message)}
                  onReply={replyOf(entry, nextId(), edit)}
                />
              )}
            </div>
            {entries.length > 0 && <History entries={entries} shown={shown} onShow={setShown} />}
          </div>
        </div>
      )}
    </div>
  )
}

const STOPPED: Fault = {
  title: 'Stopped',
  detail: `You stopped waiting for the response. In MCP revision ${ERAS.modern}, this cancels the call.`,
  code: null,
  requestId: null,
  status: null,
  fields: [],
}

function replyOf(entry: Entry, id: number, edit: (message: Json) => void): (() => void) | null {
  const { message, messages, era } = entry
  const reply = replyTo(message as JsonObject, messages, era, id)
  return reply === null ? null : () => edit(reply)
}

function first(era: Era, tool: Tool | null, id: number): JsonObject {
  return tool === null
    ? requestOf(era, id, 'tools/list', {})
    : requestOf(era, id, 'tools/call', { name: tool.name, arguments: {} })
}

interface FormsProps {
  readonly isRaw: boolean
  readonly hasForm: boolean
  readonly onForm: () => void
  readonly onRaw: () => void
}

function Forms({ isRaw, hasForm, onForm, onRaw }: FormsProps) {
  return (
    <div className="flex gap-1">
      <Button
        isSmall
        tone={isRaw ? 'quiet' : 'plain'}
        aria-pressed={!isRaw}
        disabled={!hasForm}
        onClick={onForm}
      >
        Form
      </Button>
      <Button isSmall tone={isRaw ? 'plain' : 'quiet'} aria-pressed={isRaw} onClick={onRaw}>
        JSON-RPC
      </Button>
    </div>
  )
}

interface HistoryProps {
  readonly entries: readonly Entry[]
  readonly shown: number | null
  readonly onShow: (id: number) => void
}

function History({ entries, shown, onShow }: HistoryProps) {
  return (
    <Card title="History">
      <ul aria-label="History" className="flex flex-col">
        {entries.map((entry) => {
          const { state, word } = wordOf(entry)
          return (
            <li key={entry.id}>
              <button
                type="button"
                aria-current={entry.id === shown || undefined}
                className={classes(
                  'flex min-h-8 w-full flex-wrap items-baseline gap-x-3 rounded-md px-2 py-1 text-left',
                  entry.id === shown ? 'bg-accent-soft' : 'hover:bg-sunken',
                )}
                onClick={() => onShow(entry.id)}
              >
                <Time value={new Date(entry.at).toISOString()} />
                <code className="min-w-0 break-all">{labelOfMessage(entry.message)}</code>
                <Status state={state}>{word}</Status>
                {entry.ms !== null && (
                  <span className="ml-auto text-sm text-muted tabular-nums">
                    {entry.ms.toLocaleString('en')} ms
                  </span>
                )}
              </button>
            </li>
          )
        })}
      </ul>
    </Card>
  )
}

interface RawFormProps {
  readonly text: string
  readonly onText: (text: string) => void
  readonly isBusy: boolean
  readonly onSend: (message: Json) => void
}

/** Any message. It is sent as it stands; the headers that repeat what it says are made of it. */
function RawForm({ text, onText, isBusy, onSend }: RawFormProps) {
  const id = useId()
  const [fault, setFault] = useState<string | null>(null)
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        try {
          onSend(JSON.parse(text) as Json)
        } catch (error) {
          setFault(`This is not valid JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`)
        }
      }}
    >
      <Labeled
        id={`${id}raw`}
        label="Message"
        hint="A request, a notification or a response. Postern sends it unchanged."
        error={fault}
      >
        <TextArea
          id={`${id}raw`}
          rows={14}
          required
          className="font-mono"
          value={text}
          aria-invalid={fault !== null || undefined}
          aria-describedby={`${id}raw-hint`}
          onChange={(event) => {
            onText(event.target.value)
            setFault(null)
          }}
        />
      </Labeled>
      <div>
        {/* A response may have to be sent while the call that it belongs to is under way */}
        <Button type="submit" tone="primary" icon={Play} aria-busy={isBusy || undefined}>
          Send
        </Button>
      </div>
    </form>
  )
}

/** Tools that are drawn; the search finds the others. */
const SHOWN_MAX = 200

interface ToolsProps {
  readonly tools: readonly Tool[]
  readonly chosen: string | null
  readonly onChoose: (name: string) => void
}

function Tools({ tools, chosen, onChoose }: ToolsProps) {
  const [text, setText] = useState('')
  const words = text.trim().toLowerCase()
  const found = tools.filter(({ name, title, description }) =>
    `${name} ${title} ${description}`.toLowerCase().includes(words),
  )
  return (
    <Card title="Tools">
      <div className="flex flex-col gap-2">
        {tools.length > 8 && (
          <TextInput
            type="search"
            aria-label="Search tools"
            placeholder="Search tools"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
        {found.length === 0 ? (
          <Empty title={tools.length === 0 ? 'No tools for this caller' : 'No tools match'} />
        ) : (
          <ul aria-label="Tools" className="flex max-h-[40dvh] lg:max-h-[60dvh] flex-col overflow-auto">
            {found.slice(0, SHOWN_MAX).map(({ name, title }) => (
              <li key={name}>
                <button
                  type="button"
                  aria-current={name === chosen || undefined}
                  className={classes(
                    'flex min-h-8 w-full flex-col items-start justify-center rounded-md px-2 py-1 text-left',
                    name === chosen ? 'bg-accent-soft text-accent' : 'hover:bg-sunken',
                  )}
                  onClick={() => onChoose(name)}
                >
                  <code className="break-all">
                    <HiddenText text={name} />
                  </code>
                  {title !== '' && (
                    <span className="text-sm text-muted">
                      <HiddenText text={title} />
                    </span>
                  )}
                </button>
              </li>
            ))}
          </ul>
        )}
        {found.length > SHOWN_MAX && (
          <p className="text-sm text-muted">{`${counted(found.length - SHOWN_MAX, 'more tool')}. Search to find more.`}</p>
        )}
      </div>
    </Card>
  )
}

interface ToolCallProps {
  readonly tool: Tool
  readonly isBusy: boolean
  readonly onCall: (args: JsonObject) => void
}

/** The arguments of a tool. What each alternative of the schema was given is kept, and the chosen one is sent. */
function ToolCall({ tool, isBusy, onCall }: ToolCallProps) {
  const id = useId()
  const [forms] = useState(() => formsOf(tool.inputSchema))
  const [chosen, setChosen] = useState(0)
  const [values, setValues] = useState<Readonly<Record<number, JsonObject>>>({})
  const [text, setText] = useState('{}')
  const [fault, setFault] = useState<string | null>(null)
  const value = values[chosen] ?? {}
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (forms !== null) return onCall(value)
        const read = readObject(text)
        if (typeof read === 'string') setFault(read)
        else onCall(read)
      }}
    >
      {tool.description !== '' && (
        <div>
          <p className="max-w-[90ch] break-words whitespace-pre-line">
            <HiddenText text={tool.description} />
          </p>
          <HiddenNote text={tool.description} />
        </div>
      )}
      {forms === null ? (
        <Labeled
          id={`${id}json`}
          label="Arguments"
          hint="Enter JSON. The console has no form for the input schema of this tool."
          error={fault}
        >
          <TextArea
            id={`${id}json`}
            rows={8}
            className="font-mono"
            value={text}
            aria-invalid={fault !== null || undefined}
            aria-describedby={`${id}json-hint`}
            onChange={(event) => {
              setText(event.target.value)
              setFault(null)
            }}
          />
        </Labeled>
      ) : (
        <>
          {forms.length > 1 && (
            <Labeled id={`${id}form`} label="Alternative">
              <Select
                id={`${id}form`}
                className="max-w-60"
                value={chosen}
                onChange={(event) => setChosen(Number(event.target.value))}
              >
                {forms.map(({ title }, index) => (
                  <option key={index} value={index}>
                    {title}
                  </option>
                ))}
              </Select>
            </Labeled>
          )}
          {forms[chosen]!.fields.length === 0 ? (
            <p className="text-muted">This tool takes no arguments.</p>
          ) : (
            <SchemaForm
              key={chosen}
              fields={forms[chosen]!.fields}
              value={value}
              onChange={(next) => setValues({ ...values, [chosen]: next })}
            />
          )}
        </>
      )}
      <div>
        <Button type="submit" tone="primary" icon={Play} isBusy={isBusy}>
          Call tool
        </Button>
      </div>
    </form>
  )
}

function readObject(text: string): JsonObject | string {
  try {
    const value = JSON.parse(text.trim() === '' ? '{}' : text) as Json
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as JsonObject)
      : 'Arguments must be a JSON object.'
  } catch (error) {
    return `This is not valid JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`
  }
}
