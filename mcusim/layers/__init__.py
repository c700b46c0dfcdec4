"""Everything Python knows of a layer, one file each: its shape, `run`, MACs, and how it quantizes."""

from mcusim.graph import Layer
from mcusim.layers.add import Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.bilinear_resize import BilinearResize
from mcusim.layers.bilinear_up_sampling import BilinearUpSampling
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.constant import Constant
from mcusim.layers.convert import Convert
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.gru import GRU
from mcusim.layers.input import Input
from mcusim.layers.layer_normalization import LayerNormalization
from mcusim.layers.lstm import LSTM
from mcusim.layers.merge import BroadcastAdd, Maximum, Minimum, Multiply, Subtract
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.prelu import PReLU
from mcusim.layers.relu import ReLU
from mcusim.layers.reshape import Reshape
from mcusim.layers.scaled_lstm import ScaledLSTM
from mcusim.layers.simple_rnn import SimpleRNN
from mcusim.layers.softmax import Softmax
from mcusim.layers.strided_copy import StridedCopy
from mcusim.layers.transposed_convolution import TransposedConvolution
from mcusim.layers.zero_padding import ZeroPadding

LAYERS: tuple[type[Layer], ...] = (
    *(Input, Add, AveragePooling, BatchNormalization, BroadcastAdd, BilinearResize, BilinearUpSampling, Concatenate),
    *(Constant, Convert, Convolution, Dense, GRU, LSTM, LayerNormalization, MaxPooling, Maximum, Minimum, Multiply),
    *(PReLU, Pointwise, ReLU, Reshape, ScaledLSTM, SimpleRNN, Softmax, Subtract, StridedCopy, TransposedConvolution),
    ZeroPadding,
)
