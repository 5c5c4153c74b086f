import { Link } from '@tanstack/react-router'
import { Plug } from 'lucide-react'
import { useId, useState } from 'react'
import { type Fault, faultOf } from '../../../api/client.ts'
import { Button, Labeled, Select, TextInput } from '../../../kit/controls.tsx'
import { Card, FaultBox } from '../../../kit/page.tsx'
import { Status } from '../../../kit/status.tsx'
import { counted } from '../../../schema/value.ts'
import { type Connection, connect, type Tool } from './connection.ts'
import { ERAS, type Era } from './message.ts'

/** What a connection was made as. */
export interface Connected {
  readonly connection: Connection
  readonly era: Era
  readonly as: string
  readonly tools: readonly Tool[]
}

interface CallerProps {
  readonly slug: string
  readonly era: Era
  readonly onEra: (era: Era) => void
  readonly connected: Connected | null
  readonly onConnected: (connected: Connected | null) => void
}

/** As whom, and by which revision of the protocol. Connecting is an act: it is audited, and its messages are recorded. */
export function Caller({ slug, era, onEra, connected, onConnected }: CallerProps) {
  const id = useId()
  const [isSelf, setSelf] = useState(true)
  const [token, setToken] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [fault, setFault] = useState<Fault | null>(null)
  async function begin(): Promise<void> {
    setBusy(true)
    setFault(null)
    onConnected(null)
    const connection = connect(slug, era, isSelf ? '' : token.trim())
    try {
      const tools = await connection.tools()
      onConnected({ connection, era, as: isSelf ? 'you' : 'the profile', tools })
    } catch (error) {
      setFault(faultOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Card title="Connect">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          begin().catch(() => {})
        }}
      >
        <div className="flex flex-wrap items-end gap-4">
          <div role="group" aria-label="Call as" className="flex flex-wrap gap-4">
            {[true, false].map((self) => (
              <label key={String(self)} className="flex min-h-8 items-center gap-2">
                <input
                  type="radio"
                  name={`${id}as`}
                  className="size-4 accent-accent"
                  checked={isSelf === self}
                  onChange={() => setSelf(self)}
                />
                {self ? 'As yourself' : 'With the token of a profile'}
              </label>
            ))}
          </div>
          {!isSelf && (
            <div className="w-80">
              <Labeled id={`${id}token`} label="Token" isRequired>
                <TextInput
                  id={`${id}token`}
                  type="password"
                  required
                  autoComplete="off"
                  value={token}
                  onChange={(event) => setToken(event.target.value)}
                />
              </Labeled>
            </div>
          )}
          <Labeled id={`${id}era`} label="Revision">
            <Select
              id={`${id}era`}
              className="w-44"
              value={era}
              onChange={(event) => onEra(event.target.value as Era)}
            >
              <option value="modern">{ERAS.modern}</option>
              <option value="legacy">{ERAS.legacy}, with a session</option>
            </Select>
          </Labeled>
          <Button
            type="submit"
            tone={connected === null ? 'primary' : 'plain'}
            icon={Plug}
            isBusy={isBusy}
            disabled={!isSelf && token.trim() === ''}
          >
            {connected === null ? 'Connect' : 'Connect again'}
          </Button>
        </div>
        <p className="text-sm text-muted">
          Postern checks, counts and records these messages like those of any application. Arguments,
          responses and the token stay in this page until you leave it. To see what other callers get, open{' '}
          <Link to="." search={{ tab: 'preview' } as never} className="underline">
            Preview
          </Link>
          .
        </p>
        {fault !== null && <FaultBox fault={fault} />}
        {connected !== null && (
          <p role="status">
            <Status state="ok">
              {`Connected as ${connected.as} by ${ERAS[connected.era]}: ${counted(connected.tools.length, 'tool')}`}
            </Status>
          </p>
        )}
      </form>
    </Card>
  )
}
