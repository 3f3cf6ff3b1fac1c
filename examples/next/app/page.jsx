import { Scores } from './scores.jsx';

export default function Page() {
  return <Scores model="/model.mish.onnx" />;
}
