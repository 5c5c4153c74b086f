import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'

/** A workflow without its definition, which the part Graph shows. */
export default function WorkflowOverview(props: PartProps) {
  return <Overview {...props} without={['definition']} />
}
