import { Play } from 'lucide-react'
import { useId, useState } from 'react'
import type { Json, JsonObject } from '../../../../build/document.ts'
import { SchemaForm } from '../../../forms/schema-form.tsx'
import { Button } from '../../../kit/button.tsx'
import { HiddenNote, HiddenText } from '../../../kit/hidden-text.tsx'
import { Labeled, Select, TextArea } from '../../../kit/inputs.tsx'
import type { Tool } from './connection.ts'
import { formsOf } from './tool-form.ts'

interface ToolCallProps {
  readonly tool: Tool
  readonly isBusy: boolean
  readonly onCall: (args: JsonObject) => void
}

/** The arguments of a tool. What each alternative of the schema was given is kept, and the chosen one is sent. */
export function ToolCall({ tool, isBusy, onCall }: ToolCallProps) {
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
          hint="As JSON: the input schema of this tool has no form."
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
      : 'Arguments are a JSON object.'
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`
  }
}
