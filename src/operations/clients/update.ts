import { updateOf } from '../crud.ts'
import { clientKind } from './kind.ts'

export const updateClient = updateOf(clientKind)
