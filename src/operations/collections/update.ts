import { updateOf } from '../crud.ts'
import { collectionKind } from './kind.ts'

export const updateCollection = updateOf(collectionKind)
