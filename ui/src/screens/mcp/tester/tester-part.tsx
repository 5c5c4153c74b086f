import { useNavigate, useSearch } from '@tanstack/react-router'
import { Square } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { Json, JsonObject } from '../../../../build/document.ts'
import { type Fault, faultOf } from '../../../api/problem.ts'
import { one, type Search } from '../../../app/search.ts'
import { Button } from '../../../kit/button.tsx'
import { HiddenText } from '../../../kit/hidden-text.tsx'
import { Card } from '../../../kit/page.tsx'
import { Status } from '../../../kit/status.tsx'
import type { PartProps } from '../../hand-made.ts'
import { Caller, type Connected } from './caller.tsx'
import type { Tool } from './connection.ts'
import { bounded, ENTRIES_MAX, type Entry } from './entry.ts'
import { History } from './history.tsx'
import { ERAS, type Era, headersOf, replyTo, requestOf } from './message.ts'
import { RawForm } from './raw-form.tsx'
import { Result } from './result.tsx'
import { ToolCall } from './tool-call.tsx'
import { Tools } from './tools.tsx'

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
          The virtual MCP is a draft, which answers nobody. Publish it first.
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
  detail: `You stopped waiting for the answer. By revision ${ERAS.modern} this cancels the call.`,
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
