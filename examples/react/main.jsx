import { createRoot } from 'react-dom/client';
import { Scores } from './scores.jsx';

createRoot(document.querySelector('#root')).render(<Scores model="model.onnx" />);
