import type { LucideIcon } from 'lucide-react'
import { useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import type { OperationName } from '../api/client.ts'
import { useMay } from '../api/session.ts'
import { operation } from '../api/use-call.ts'
import { Button, type Tone } from '../kit/button.tsx'
import { NOT_IF_MANAGED, setOf } from './managed.ts'
import { RunDialog } from './run-dialog.tsx'

interface RunButtonProps {
  readonly name: OperationName
  readonly label: string
  readonly schemas: ResourceSchemas
  /** The resource that the operation is run on. */
  readonly value: JsonObject
  readonly slug: string
  readonly start?: JsonObject
  readonly icon?: LucideIcon
  readonly tone?: Tone
}

/** A button that runs an operation on a resource, for people who may run it. Documents that manage the resource decide some. */
export function RunButton({ name, label, schemas, value, slug, start, icon, tone }: RunButtonProps) {
  const may = useMay()
  const [isOpen, setOpen] = useState(false)
  const row = operation(name)
  const isManaged = setOf(value['managed_by']) !== null
  if (row === null || !may(name) || (isManaged && NOT_IF_MANAGED.includes(row.action))) return null
  return (
    <>
      <Button
        isSmall
        onClick={() => setOpen(true)}
        {...(icon !== undefined && { icon })}
        {...(tone !== undefined && { tone })}
      >
        {label}
      </Button>
      {isOpen && (
        <RunDialog
          row={row}
          schemas={schemas}
          value={value}
          slug={slug}
          onClose={() => setOpen(false)}
          {...(start !== undefined && { start })}
        />
      )}
    </>
  )
}
