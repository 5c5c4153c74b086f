import { Card } from '../../kit/page.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { grantSentence } from './grant-sentence.ts'

/** A grant, read back as a sentence before its settings. */
export default function GrantOverview(props: PartProps) {
  return (
    <Overview {...props}>
      <Card title="What it allows">
        <p className="break-words">{grantSentence(props.value)}</p>
      </Card>
    </Overview>
  )
}
