import type { EditorProps } from '../form-state.tsx'
import { ChoiceField, ChoicesField, SwitchField } from './choice-fields.tsx'
import { JsonField } from './json-field.tsx'
import { GroupField, ListField, MapField, VariantField } from './nested-fields.tsx'
import { NumberField } from './number-field.tsx'
import { SecretField } from './secret-field.tsx'
import { TextField } from './text-field.tsx'
import { TextsField } from './texts-field.tsx'

/** The input of a field, with label, hint and error. */
export function FieldEditor({ field, path }: EditorProps) {
  switch (field.kind) {
    case 'text':
      return <TextField field={field} path={path} />
    case 'number':
      return <NumberField field={field} path={path} />
    case 'switch':
      return <SwitchField field={field} path={path} />
    case 'choice':
      return <ChoiceField field={field} path={path} />
    case 'choices':
      return <ChoicesField field={field} path={path} />
    case 'texts':
      return <TextsField field={field} path={path} />
    case 'secret':
      return <SecretField field={field} path={path} />
    case 'group':
      return <GroupField field={field} path={path} />
    case 'list':
      return <ListField field={field} path={path} />
    case 'map':
      return <MapField field={field} path={path} />
    case 'variant':
      return <VariantField field={field} path={path} />
    case 'json':
      return <JsonField field={field} path={path} />
  }
}
