import { Download } from 'lucide-react'
import { useState } from 'react'
import type { Json, JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationRow } from '../api/use-call.ts'
import { Button } from '../kit/button.tsx'
import { CodeBlock } from '../kit/copy.tsx'
import { Checkbox } from '../kit/inputs.tsx'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { Status } from '../kit/status.tsx'
import { fieldsOf, markdownOf } from '../schema/fields.ts'
import { Details } from '../tables/details.tsx'
import { NOT_CONFIRMED } from './say-stored.ts'
import { secretsOf } from './secrets.ts'

interface ResultProps {
  readonly row: OperationRow
  readonly output: JsonObject
  readonly schemas: ResourceSchemas
  readonly onClose: () => void
}

const NOT_KEPT = {
  title: 'Close without storing the secret?',
  text: 'It cannot be shown again. If you have not stored it, you need to issue a new one.',
  yes: 'Close without storing it',
  no: 'Back to the secret',
}

/** What an operation has answered. Secrets are shown here once, and nowhere else: closing asks for them to be copied first. */
export function Result({ row, output, schemas, onClose }: ResultProps) {
  const shape = schemas.actions[row.action]?.output
  const secrets = secretsOf(output, shape, schemas.$defs)
  const isPending = output['pending'] === true
  return (
    <div className="flex flex-col gap-4">
      {row.effect !== 'read' &&
        (isPending ? (
          <Status state="pending" className="whitespace-normal">
            {NOT_CONFIRMED}
          </Status>
        ) : (
          <Status state="ok">Done</Status>
        ))}
      {secrets.length > 0 ? (
        <Secrets secrets={secrets} onClose={onClose} />
      ) : (
        <>
          <Details
            value={output}
            markdown={shape === undefined ? [] : markdownOf(fieldsOf(shape, schemas.$defs))}
          />
          <div className="flex justify-end">
            <Button onClick={onClose}>Close</Button>
          </div>
        </>
      )}
    </div>
  )
}

function Secrets({
  secrets,
  onClose,
}: {
  secrets: readonly { name: string; value: Json }[]
  onClose: () => void
}) {
  const [isKept, setKept] = useState(false)
  useLeaveGuard(!isKept, NOT_KEPT)
  const texts = secrets.map(({ name, value }) => ({
    name,
    text: typeof value === 'string' ? value : JSON.stringify(value, null, 2),
  }))
  const download = (): void => {
    const content = texts.map(({ name, text }) => `${name}: ${text}`).join('\n')
    const url = URL.createObjectURL(new Blob([content], { type: 'text/plain' }))
    const link = document.createElement('a')
    link.href = url
    link.download = 'secret.txt'
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <>
      <p>Copy this now. It is shown once, and Postern does not store it in a readable form.</p>
      {texts.map(({ name, text }) => (
        <div key={name} className="flex flex-col gap-1">
          <h3 className="font-medium">{name}</h3>
          <CodeBlock label={name} text={text} />
        </div>
      ))}
      <Checkbox
        label="I have stored it"
        checked={isKept}
        onChange={(event) => setKept(event.target.checked)}
      />
      <div className="flex justify-end gap-2">
        <Button icon={Download} onClick={download}>
          Download
        </Button>
        <Button tone="primary" disabled={!isKept} onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  )
}
