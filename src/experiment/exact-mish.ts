import { editedModel } from '../finetune/start.js';
import { FORMS, type FormName } from '../mish/forms.js';
import { recognise } from '../mish/recognise.js';
import { rewriteMish } from '../mish/rewrite-mish.js';
import type { Site } from '../mish/site.js';
import { analyse } from '../onnx/analysis.js';
import { splice } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';

/** Returns a model whose approximate Mish at the chosen sites is exact; the same model if it has none there. */
export async function withExactMish(
  model: LoadedModel,
  form: FormName,
  isChosen: (site: Pick<Site, 'scope' | 'node'>) => boolean,
): Promise<LoadedModel> {
  const { document } = model;
  const analysis = analyse(document);
  const approximate = (await recognise(document, analysis)).filter(
    (mish) => mish.bound !== undefined && isChosen(mish),
  );
  if (approximate.length === 0) return model;
  const sites = approximate.map((mish) => ({ ...mish, form: FORMS[form] }));
  return editedModel(model, splice(document.source, await rewriteMish(document, analysis.index, sites, {})));
}
