import { Link } from '@tanstack/react-router'
import { Reply } from 'lucide-react'
import { useState } from 'react'
import { useSession } from '../../../api/client.ts'
import { Button } from '../../../kit/controls.tsx'
import { Card, FaultBox } from '../../../kit/page.tsx'
import { Badge, Status } from '../../../kit/status.tsx'
import { CodeBlock, HiddenText } from '../../../kit/text.tsx'
import { counted, isObject } from '../../../schema/value.ts'
import { quoted } from '../../../show-as/forms.ts'
import { contentOf, type Entry, labelOfMessage, textOf, wordOf } from './entry.ts'
import { ERAS, questionsIn } from './message.ts'

interface ResultProps {
  readonly entry: Entry
  readonly slug: string
  readonly onEdit: () => void
  /** Present where the server asks for something. */
  readonly onReply: (() => void) | null
}

/** What came of a message, as text. */
export function Result({ entry, slug, onEdit, onReply }: ResultProps) {
  const { state, word } = wordOf(entry)
  const blocks = contentOf(entry.messages)
  const last = entry.messages.at(-1)
  const result = isObject(last) && isObject(last['result']) ? last['result'] : null
  const error = isObject(last) && isObject(last['error']) ? last['error'] : null
  return (
    <Card
      title={
        <span className="flex flex-wrap items-baseline gap-x-3">
          <code className="break-all">{labelOfMessage(entry.message)}</code>
          <Status state={state}>{word}</Status>
        </span>
      }
      actions={
        <span className="text-sm text-muted tabular-nums">
          {entry.ms === null ? '' : `${entry.ms.toLocaleString('en')} ms · `}
          {ERAS[entry.era]}
        </span>
      }
    >
      <div className="flex flex-col gap-3">
        {entry.fault !== null && <FaultBox fault={entry.fault} />}
        {error !== null && (
          <p className="break-words">
            <code>{textOf(error['code'])}</code> {textOf(error['message'])}
          </p>
        )}
        {questionsIn(entry.messages, entry.era).map(({ key, text }) => (
          <p key={key ?? ''} className="break-words whitespace-pre-line">
            {key !== null && <code>{key}: </code>}
            <HiddenText text={text} />
          </p>
        ))}
        {blocks.slice(0, BLOCKS_MAX).map(({ kind, text }, index) => (
          <div key={index} className="flex flex-col gap-1">
            {kind !== 'text' && (
              <div>
                <Badge>{kind}</Badge>
              </div>
            )}
            <CodeBlock label={`Content ${index + 1}`} text={text} />
          </div>
        ))}
        {blocks.length > BLOCKS_MAX && (
          <p className="text-muted">
            {`The message has ${counted(blocks.length - BLOCKS_MAX, 'more block', 'more blocks')} of content.`}
          </p>
        )}
        {result?.['structuredContent'] !== undefined && (
          <div className="flex flex-col gap-1">
            <p className="font-medium">Structured content</p>
            <CodeBlock label="Structured content" text={textOf(result['structuredContent'])} />
          </div>
        )}
        {entry.messages.length > 0 && (
          <Messages key={entry.id} entry={entry} isOpen={blocks.length === 0 && error === null} />
        )}
        {entry.messages.length === 0 && entry.left > 0 && (
          <p className="text-muted">The messages were too large to keep.</p>
        )}
        <details>
          <summary className="min-h-6 cursor-pointer">The same with curl</summary>
          <Curl entry={entry} slug={slug} />
        </details>
        <div className="flex flex-wrap items-center gap-2">
          {onReply !== null && (
            <Button isSmall tone="primary" icon={Reply} onClick={onReply}>
              Answer as JSON-RPC
            </Button>
          )}
          <Button isSmall onClick={onEdit}>
            Edit as JSON-RPC
          </Button>
          {entry.requestId !== null && (
            <Link
              to="/$resource"
              params={{ resource: 'records' }}
              search={{ record: entry.requestId, virtual_mcp: slug } as never}
              className="underline"
            >
              Record of the call
            </Link>
          )}
        </div>
      </div>
    </Card>
  )
}

/** Blocks of content that are drawn. */
const BLOCKS_MAX = 100

/** The messages as they came. They are written once somebody looks: they may be large. */
function Messages({ entry: { messages, left }, isOpen }: { entry: Entry; isOpen: boolean }) {
  const [isShown, setShown] = useState(isOpen)
  const count = messages.length.toLocaleString('en')
  const name =
    left > 0
      ? `The last ${count} of ${(messages.length + left).toLocaleString('en')} received messages`
      : messages.length === 1
        ? 'Received message'
        : `All ${count} received messages`
  return (
    <details open={isShown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary className="min-h-6 cursor-pointer">{name}</summary>
      {isShown && <CodeBlock label="Messages" text={messages.map((one) => textOf(one)).join('\n')} />}
    </details>
  )
}

/** For a shell. A session of the earlier era is left out: the endpoint asks for none. */
function Curl({ entry: { message, headers }, slug }: { entry: Entry; slug: string }) {
  const url = `${useSession()?.instance.gateway_url ?? ''}/mcp/${slug}`
  const all = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  }
  const lines = [
    `curl ${quoted(url)}`,
    '-H "authorization: Bearer $TOKEN"',
    ...Object.entries(all).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    `-d ${quoted(JSON.stringify(message))}`,
  ]
  return (
    <>
      <p className="text-sm text-muted">
        <code>$TOKEN</code> stands for the token of a profile or of a binding that may call this virtual MCP.
      </p>
      <CodeBlock label="curl" text={lines.join(' \\\n  ')} />
    </>
  )
}
